// How many requests may be in flight at one moment for one placement (a bulkhead): a slow cell fills its own limit and not the
// whole router. There is no queue: a request that waits holds memory and still comes too late.

package main

import "sync/atomic"

// #region concurrency-limit

// ConcurrencyLimit counts the requests in flight.
type ConcurrencyLimit struct {
	// 0 for no limit, which still counts.
	limit    atomic.Int64
	inFlight atomic.Int64
}

// Permit is the right to be in flight. Whoever holds it must release it on every way out, a panic included.
type Permit struct {
	limit      *ConcurrencyLimit
	isReleased atomic.Bool
}

func newConcurrencyLimit(limit int) *ConcurrencyLimit {
	c := &ConcurrencyLimit{}
	c.Reconfigure(limit)
	return c
}

// InFlight is how many permits are out.
func (c *ConcurrencyLimit) InFlight() int { return int(c.inFlight.Load()) }

// TryAcquire returns a permit, or nil when as many as the limit are out.
func (c *ConcurrencyLimit) TryAcquire() *Permit {
	limit := c.limit.Load()
	for {
		inFlight := c.inFlight.Load()
		if limit > 0 && inFlight >= limit {
			return nil
		}
		if c.inFlight.CompareAndSwap(inFlight, inFlight+1) {
			return &Permit{limit: c}
		}
	}
}

// Reconfigure changes the limit. Permits that are out stay valid: nothing is granted until enough of them came back.
func (c *ConcurrencyLimit) Reconfigure(limit int) { c.limit.Store(int64(limit)) }

// Release gives the place back. Further calls do nothing, so every way out may call it without asking.
func (p *Permit) Release() {
	if p != nil && !p.isReleased.Swap(true) {
		p.limit.inFlight.Add(-1)
	}
}

// #endregion concurrency-limit
