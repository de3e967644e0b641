// The resilience state of one router: one guard per placement, and the buckets of routing keys. Follows each new table and says who
// may serve a request now. The rules stand in the files that it holds together; the order in `proxy.go` and `attempts.go`.

package main

import (
	"sync/atomic"
	"time"
)

// Guard is what one placement has at run time. A part that the table does not name is nil and costs nothing.
type Guard struct {
	URL     string
	Limit   *ConcurrencyLimit
	Bucket  *TokenBucket
	Breaker *CircuitBreaker
	Budget  *RetryBudget
}

// guards belong to one table. Replaced whole: a request reads them once for each decision.
type guards struct {
	table *RoutingTable
	by    map[string]*Guard
	keys  *KeyedBuckets
}

// Admission is the right to make one attempt at a target. Whoever holds it must end it on every way out, a panic included.
type Admission struct {
	place      *Permit
	permit     *BreakerPermit
	isRecorded bool
}

// Record tells the breaker how the attempt went. Only the first call counts.
func (a *Admission) Record(outcome AttemptOutcome, now time.Time) { a.permit.Record(outcome, now) }

// End gives back what was taken. An attempt without a recorded outcome counts as abandoned.
func (a *Admission) End(now time.Time) {
	a.place.Release()
	a.permit.Record(outcomeAbandoned, now)
}

// #region resilience

// Resilience holds all guards.
type Resilience struct {
	// The last result of the active health checks: a look-up in memory.
	isHealthy func(placement string) bool
	// Hears of every transition of a breaker. What it panics with is onFault's.
	onBreaker func(placement string, to, from BreakerKind)
	onFault   func(fault any)
	current   atomic.Pointer[guards]
}

func newResilience(
	isHealthy func(string) bool, onBreaker func(placement string, to, from BreakerKind), onFault func(any),
) *Resilience {
	r := &Resilience{isHealthy: isHealthy, onBreaker: onBreaker, onFault: onFault}
	r.current.Store(&guards{keys: &KeyedBuckets{}})
	return r
}

// Update follows a new table. What a placement has counted so far stays, as long as it is the same cell.
func (r *Resilience) Update(table *RoutingTable, now time.Time) {
	before := r.current.Load()
	next := &guards{table: table, by: map[string]*Guard{}, keys: before.keys.Next(table, now)}
	for _, placement := range table.PlacementList {
		next.by[placement.Name] = r.guardFor(placement, before.by[placement.Name], table, now)
	}
	r.current.Store(next)
}

// Guard is the guard of a placement; for a cell that only the older table of a request under way names, an open one.
func (r *Resilience) Guard(placement *Placement) *Guard {
	if guard := r.current.Load().by[placement.Name]; guard != nil && guard.URL == placement.URL {
		return guard
	}
	return unguarded(placement.URL)
}

// Guards calls each with every guard, in the order of the table.
func (r *Resilience) Guards(each func(placement string, guard *Guard)) {
	current := r.current.Load()
	if current.table == nil {
		return
	}
	for _, placement := range current.table.PlacementList {
		each(placement.Name, current.by[placement.Name])
	}
}

// TryTake takes one token of the routing key's bucket and one of the placement's, where there are any. It returns 0, or after
// how long to ask again.
func (r *Resilience) TryTake(routingKey string, placement *Placement, now time.Time) (retryAfter time.Duration) {
	if retryAfter = r.current.Load().keys.TryTake(routingKey, now); retryAfter > 0 {
		return retryAfter
	}
	if bucket := r.Guard(placement).Bucket; bucket != nil {
		return bucket.TryTake(now)
	}
	return 0
}

// Admit chooses who serves: the primary, or a placement of its chain. Each is asked for its health, then its breaker; a fallback
// for its own concurrency limit too. The primary's place is taken once for the whole request, before this: so what spills
// over to others is bounded by the limit of the one it spills from.
//
// avoid: placements that this request has already failed to reach.
func (r *Resilience) Admit(table *RoutingTable, primary *Placement, avoid map[string]bool, now time.Time) (TargetChoice, *Admission) {
	var admission *Admission
	choice := chooseTarget(table, primary, func(placement *Placement) *Refusal {
		if avoid[placement.Name] {
			return &Refusal{Reason: reasonConnectFailed}
		}
		guard := r.Guard(placement)
		// By another table, the name stands for another cell: its health says nothing about this one.
		isChecked := r.current.Load().by[placement.Name] == guard
		if isChecked && !r.isHealthy(placement.Name) {
			refusal := &Refusal{Reason: reasonUnhealthy}
			if placement.Health != nil {
				refusal.RetryAfter = milliseconds(placement.Health.IntervalMs)
			}
			return refusal
		}
		taken := &Admission{}
		if placement != primary {
			if taken.place = guard.Limit.TryAcquire(); taken.place == nil {
				return &Refusal{Reason: reasonOverloaded}
			}
		}
		if guard.Breaker != nil {
			var retryAfter time.Duration
			if taken.permit, retryAfter = guard.Breaker.Allow(now); taken.permit == nil {
				taken.place.Release()
				return &Refusal{Reason: reasonCircuitOpen, RetryAfter: retryAfter}
			}
		}
		admission = taken
		return nil
	})
	return choice, admission
}

// #endregion resilience

func (r *Resilience) guardFor(placement *Placement, known *Guard, table *RoutingTable, now time.Time) *Guard {
	guard := &Guard{URL: placement.URL}
	if known != nil && placement.RateLimit != nil && known.Bucket != nil {
		// It limits the requests that lead here, whichever cell they reach.
		guard.Bucket = carriedOver(known.Bucket, *placement.RateLimit, now)
	} else if placement.RateLimit != nil {
		guard.Bucket = newTokenBucket(*placement.RateLimit, now)
	}
	if known == nil || known.URL != placement.URL {
		// Another URL is another cell: what the old one did says nothing about it, and what hangs there fills nothing here.
		known = &Guard{Limit: newConcurrencyLimit(0), Budget: newRetryBudget(table.RetryBudget)}
	}
	guard.Limit, guard.Budget = known.Limit, known.Budget
	guard.Limit.Reconfigure(placement.ConcurrencyLimit)
	guard.Budget.Reconfigure(table.RetryBudget)
	guard.Breaker = r.breakerFor(placement, known.Breaker, now)
	return guard
}

func (r *Resilience) breakerFor(placement *Placement, known *CircuitBreaker, now time.Time) *CircuitBreaker {
	switch {
	case placement.CircuitBreaker == nil:
		return nil
	case known != nil:
		known.Reconfigure(*placement.CircuitBreaker, now)
		return known
	}
	name := placement.Name
	var breaker *CircuitBreaker
	breaker = newCircuitBreaker(*placement.CircuitBreaker, now, func(to, from BreakerKind) {
		// A request must not fail because somebody listens to its breaker.
		defer func() {
			if fault := recover(); fault != nil {
				r.onFault(fault)
			}
		}()
		// A late result of a cell that has left the table must not look like news of the one that took its place.
		if guard := r.current.Load().by[name]; guard != nil && guard.Breaker == breaker {
			r.onBreaker(name, to, from)
		}
	})
	return breaker
}

// unguarded has no retries: a cell that has left the table gets what is under way, and nothing more.
func unguarded(url string) *Guard {
	return &Guard{URL: url, Limit: newConcurrencyLimit(0), Budget: newRetryBudget(RetryBudgetSettings{MaxBalance: 1})}
}
