// Stops asking a cell that keeps failing: it gets time to recover, and its clients a fast response. One breaker per placement.
// What counts as a failure, and what to do when the circuit is open, is left to `attempts.go`.

package main

import (
	"sync"
	"time"
)

// BreakerKind is a breaker's state, by the name that people read.
type BreakerKind string

const (
	breakerClosed   BreakerKind = "closed"
	breakerOpen     BreakerKind = "open"
	breakerHalfOpen BreakerKind = "half-open"
)

// BreakerState: which of the fields mean something depends on the kind.
type BreakerState struct {
	Kind BreakerKind
	// Closed.
	ConsecutiveFailures int
	// Open: since when. Half-open keeps the wait that led to it; a failure doubles it.
	OpenedAt time.Time
	Wait     time.Duration
	// Half-open.
	ProbesInFlight, Successes int
}

// AttemptOutcome is how an attempt went, for the breaker.
type AttemptOutcome string

const (
	outcomeSuccess AttemptOutcome = "success"
	outcomeFailure AttemptOutcome = "failure"
	// It says nothing about the cell, such as when the client left first.
	outcomeAbandoned AttemptOutcome = "abandoned"
)

// #region circuit-breaker

// CircuitBreaker goes closed → open → half-open → closed or open again. There is no timer: an open circuit becomes half-open
// when the first request after the wait asks for it.
type CircuitBreaker struct {
	onTransition func(to, from BreakerKind)

	mu       sync.Mutex
	settings CircuitBreakerSettings
	state    BreakerState
	window   FailureWindow
	// One more for each transition. A permit carries its number: a result from an older state says nothing about this one.
	generation int
}

// BreakerPermit is the right to make one attempt. Whoever holds it must record an outcome on every way out.
type BreakerPermit struct {
	breaker    *CircuitBreaker
	generation int
	recorded   sync.Once
}

// newCircuitBreaker makes a closed one. onTransition may be nil; it must not call the breaker.
func newCircuitBreaker(settings CircuitBreakerSettings, now time.Time, onTransition func(to, from BreakerKind)) *CircuitBreaker {
	b := &CircuitBreaker{onTransition: onTransition, settings: settings, state: BreakerState{Kind: breakerClosed}}
	b.window = newFailureWindow(milliseconds(settings.WindowMs), now)
	return b
}

// Allow returns a permit for one attempt, or nil and when to ask again; an estimate while the probes of half-open are under way.
func (b *CircuitBreaker) Allow(now time.Time) (permit *BreakerPermit, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Kind == breakerOpen {
		if remaining := b.state.OpenedAt.Add(b.state.Wait).Sub(now); remaining > 0 {
			return nil, min(b.state.Wait, remaining)
		}
		b.moveTo(BreakerState{Kind: breakerHalfOpen, Wait: b.state.Wait})
	}
	if b.state.Kind == breakerHalfOpen {
		// Successes keep their slots: the phase ends after exactly this many results, it does not let more in.
		if b.state.ProbesInFlight+b.state.Successes >= b.settings.HalfOpenProbes {
			return nil, milliseconds(b.settings.WaitMs)
		}
		b.state.ProbesInFlight++
	}
	return &BreakerPermit{breaker: b, generation: b.generation}, 0
}

// State is the state at `now`, for display. Reading causes no transition and no event.
func (b *CircuitBreaker) State(now time.Time) BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Kind == breakerOpen && !now.Before(b.state.OpenedAt.Add(b.state.Wait)) {
		return BreakerState{Kind: breakerHalfOpen, Wait: b.state.Wait}
	}
	return b.state
}

// Reconfigure changes the thresholds. State and counts stay, but a new window length starts an empty window.
func (b *CircuitBreaker) Reconfigure(settings CircuitBreakerSettings, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if settings.WindowMs != b.settings.WindowMs {
		b.window = newFailureWindow(milliseconds(settings.WindowMs), now)
	}
	b.settings = settings
	// With fewer probes to pass, those that passed may be enough; no further result would come to notice it.
	if b.state.Kind == breakerHalfOpen {
		b.closeIfProven(now)
	}
}

// Record tells how the attempt went. Only the first call counts.
func (p *BreakerPermit) Record(outcome AttemptOutcome, now time.Time) {
	if p != nil {
		p.recorded.Do(func() { p.breaker.record(p.generation, outcome, now) })
	}
}

func (b *CircuitBreaker) record(generation int, outcome AttemptOutcome, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if generation != b.generation {
		return
	}
	switch b.state.Kind {
	case breakerClosed:
		b.recordClosed(outcome, now)
	case breakerHalfOpen:
		b.recordProbe(outcome, now)
	}
}

func (b *CircuitBreaker) recordClosed(outcome AttemptOutcome, now time.Time) {
	if outcome == outcomeAbandoned {
		return
	}
	b.window.Add(outcome == outcomeFailure, now)
	if outcome == outcomeSuccess {
		b.state.ConsecutiveFailures = 0
		return
	}
	b.state.ConsecutiveFailures++
	// A ratio of two requests means nothing: below the minimum only failures in a row count.
	ratioReached := b.window.total >= b.settings.MinimumRequests &&
		float64(b.window.failures) >= b.settings.FailureRatio*float64(b.window.total)
	if b.state.ConsecutiveFailures >= b.settings.ConsecutiveFailures || ratioReached {
		wait := min(milliseconds(b.settings.WaitMs), milliseconds(b.settings.MaxWaitMs))
		b.moveTo(BreakerState{Kind: breakerOpen, OpenedAt: now, Wait: wait})
	}
}

func (b *CircuitBreaker) recordProbe(outcome AttemptOutcome, now time.Time) {
	if outcome == outcomeFailure {
		wait := min(milliseconds(b.settings.MaxWaitMs), 2*b.state.Wait)
		b.moveTo(BreakerState{Kind: breakerOpen, OpenedAt: now, Wait: wait})
		return
	}
	// An abandoned probe frees its slot and proves nothing: another request gets to try.
	b.state.ProbesInFlight--
	if outcome == outcomeSuccess {
		b.state.Successes++
	}
	b.closeIfProven(now)
}

func (b *CircuitBreaker) closeIfProven(now time.Time) {
	if b.state.Successes < b.settings.HalfOpenProbes {
		return
	}
	// The failures that opened the circuit are over; they must not open it again.
	b.window = newFailureWindow(milliseconds(b.settings.WindowMs), now)
	b.moveTo(BreakerState{Kind: breakerClosed})
}

func (b *CircuitBreaker) moveTo(to BreakerState) {
	from := b.state
	b.state = to
	b.generation++
	if b.onTransition != nil {
		b.onTransition(to.Kind, from.Kind)
	}
}

// #endregion circuit-breaker
