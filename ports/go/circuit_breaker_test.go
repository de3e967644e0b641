package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

type testBreaker struct {
	*CircuitBreaker
	t           *testing.T
	nowMs       float64
	transitions []string
}

func newTestBreaker(t *testing.T, change func(*CircuitBreakerSettings)) *testBreaker {
	settings := defaultCircuitBreaker
	if change != nil {
		change(&settings)
	}
	b := &testBreaker{t: t}
	b.CircuitBreaker = newCircuitBreaker(settings, at(0), func(to, from BreakerKind) {
		b.transitions = append(b.transitions, fmt.Sprintf("%v: %s → %s", b.nowMs, from, to))
	})
	return b
}

func (b *testBreaker) permit(nowMs float64) *BreakerPermit {
	b.t.Helper()
	b.nowMs = nowMs
	permit, retryAfter := b.Allow(at(nowMs))
	if permit == nil {
		b.t.Fatalf("refused at %v ms, retry after %v", nowMs, retryAfter)
	}
	return permit
}

func (b *testBreaker) record(permit *BreakerPermit, outcome AttemptOutcome, nowMs float64) {
	b.nowMs = nowMs
	permit.Record(outcome, at(nowMs))
}

func (b *testBreaker) attempt(outcome AttemptOutcome, nowMs float64, times int) {
	b.t.Helper()
	for range times {
		b.record(b.permit(nowMs), outcome, nowMs)
	}
}

func (b *testBreaker) expect(nowMs float64, expected BreakerState) {
	b.t.Helper()
	if state := b.State(at(nowMs)); state != expected {
		b.t.Errorf("at %v ms: %+v, expected %+v", nowMs, state, expected)
	}
}

func (b *testBreaker) expectRefusal(nowMs, retryAfterMs float64) {
	b.t.Helper()
	if permit, retryAfter := b.Allow(at(nowMs)); permit != nil || retryAfter != milliseconds(retryAfterMs) {
		b.t.Errorf("at %v ms: permit %v, retry after %v, expected %v ms", nowMs, permit != nil, retryAfter, retryAfterMs)
	}
}

func TestBreakerOpensAtTheFifthFailureInARow(t *testing.T) {
	b := newTestBreaker(t, nil)
	b.attempt(outcomeFailure, 0, 4)
	b.attempt(outcomeSuccess, 1, 1)
	b.attempt(outcomeAbandoned, 2, 100)
	b.attempt(outcomeFailure, 3, 4)
	b.attempt(outcomeAbandoned, 3, 1)
	b.expect(3, BreakerState{Kind: breakerClosed, ConsecutiveFailures: 4})
	b.attempt(outcomeFailure, 4, 1)
	b.expect(4, BreakerState{Kind: breakerOpen, OpenedAt: at(4), Wait: 5 * time.Second})
	if fmt.Sprint(b.transitions) != "[4: closed → open]" {
		t.Errorf("transitions: %v", b.transitions)
	}
}

func TestBreakerOpensAtAShareOfFailures(t *testing.T) {
	for _, each := range []struct {
		title, outcomes string
		everyMs         float64
		kind            BreakerKind
	}{
		{"half of 20 failed", "SFSFSFSFSFSFSFSFSFSF", 10, breakerOpen},
		{"9 of 20 failed", "SFSFSFSFSFSFSFSFSFSS", 10, breakerClosed},
		{"half of 18 failed: too few to tell", "SFSFSFSFSFSFSFSFSF", 10, breakerClosed},
		{"half of 20 failed, but over a minute", "SFSFSFSFSFSFSFSFSFSF", 3000, breakerClosed},
	} {
		t.Run(each.title, func(t *testing.T) {
			b := newTestBreaker(t, func(s *CircuitBreakerSettings) { s.ConsecutiveFailures = 1000 })
			now := 0.0
			for _, letter := range each.outcomes {
				now += each.everyMs
				b.attempt(map[rune]AttemptOutcome{'S': outcomeSuccess, 'F': outcomeFailure}[letter], now, 1)
			}
			if kind := b.State(at(now)).Kind; kind != each.kind {
				t.Errorf("%s, expected %s", kind, each.kind)
			}
		})
	}
}

func TestBreakerIgnoresTheSecondReportOfAPermitAndResultsFromBefore(t *testing.T) {
	b := newTestBreaker(t, nil)
	permit := b.permit(0)
	for range 10 {
		b.record(permit, outcomeFailure, 0)
	}
	b.expect(0, BreakerState{Kind: breakerClosed, ConsecutiveFailures: 1})
	late := b.permit(0)
	b.attempt(outcomeFailure, 0, 4)
	b.record(late, outcomeFailure, 100)
	b.expect(100, BreakerState{Kind: breakerOpen, OpenedAt: at(0), Wait: 5 * time.Second})
}

func TestBreakerRefusesForTheWait(t *testing.T) {
	b := newTestBreaker(t, nil)
	b.attempt(outcomeFailure, 1000, 5)
	b.expectRefusal(1000, 5000)
	b.expectRefusal(5999.5, 0.5)
	// A clock that went back does not make the wait longer.
	b.expectRefusal(0, 5000)
	b.expect(6000, BreakerState{Kind: breakerHalfOpen, Wait: 5 * time.Second})
	if len(b.transitions) != 1 {
		t.Error("looking at the state has changed it")
	}
	b.permit(6000)
}

func TestHalfOpenLetsExactlyThreeThrough(t *testing.T) {
	b := newTestBreaker(t, nil)
	b.attempt(outcomeFailure, 0, 5)
	probes := []*BreakerPermit{b.permit(5000), b.permit(5000), b.permit(5000)}
	for range 97 {
		b.expectRefusal(5000, 5000)
	}
	b.record(probes[0], outcomeSuccess, 5001)
	b.expectRefusal(5001, 5000)
	b.record(probes[1], outcomeAbandoned, 5002)
	b.record(probes[1], outcomeAbandoned, 5002)
	probes[1] = b.permit(5002)
	b.expectRefusal(5002, 5000)
	b.record(probes[1], outcomeSuccess, 5003)
	b.record(probes[2], outcomeSuccess, 5004)
	b.expect(5004, BreakerState{Kind: breakerClosed})
	if story := strings.Join(b.transitions, ", "); story != "0: closed → open, 5000: open → half-open, 5004: half-open → closed" {
		t.Error(story)
	}
}

func TestHalfOpenDoublesTheWaitUpToItsCap(t *testing.T) {
	b := newTestBreaker(t, func(s *CircuitBreakerSettings) { s.MaxWaitMs, s.HalfOpenProbes = 18_000, 1 })
	b.attempt(outcomeFailure, 0, 5)
	now, waits := 0.0, []time.Duration{}
	for range 4 {
		wait := b.State(at(now)).Wait
		waits = append(waits, wait)
		now += float64(wait.Milliseconds())
		b.attempt(outcomeFailure, now, 1)
	}
	if fmt.Sprint(waits) != "[5s 10s 18s 18s]" {
		t.Errorf("waits: %v", waits)
	}
	b.attempt(outcomeSuccess, now+18_000, 1)
	b.attempt(outcomeFailure, now+18_000, 5)
	if wait := b.State(at(now + 18_000)).Wait; wait != 5*time.Second {
		t.Errorf("closing has not reset the wait: %v", wait)
	}
}

func TestHalfOpenDoesNotCountResultsOfAnOlderPhase(t *testing.T) {
	b := newTestBreaker(t, nil)
	b.attempt(outcomeFailure, 0, 5)
	probes := []*BreakerPermit{b.permit(5000), b.permit(5000), b.permit(5000)}
	b.record(probes[0], outcomeFailure, 5001)
	b.record(probes[1], outcomeFailure, 5002)
	b.expect(5003, BreakerState{Kind: breakerOpen, OpenedAt: at(5001), Wait: 10 * time.Second})
	b.permit(15_001)
	b.record(probes[2], outcomeSuccess, 15_002)
	b.expect(15_002, BreakerState{Kind: breakerHalfOpen, Wait: 10 * time.Second, ProbesInFlight: 1})
}

func TestBreakerTakesNewThresholdsAtOnce(t *testing.T) {
	b := newTestBreaker(t, nil)
	b.attempt(outcomeFailure, 0, 5)
	probes := []*BreakerPermit{b.permit(5000), b.permit(5000)}
	b.record(probes[0], outcomeSuccess, 5001)
	settings := defaultCircuitBreaker
	settings.HalfOpenProbes = 1
	b.Reconfigure(settings, at(5002))
	b.expect(5002, BreakerState{Kind: breakerClosed})
}

func TestFailureWindow(t *testing.T) {
	window := newFailureWindow(time.Second, at(0))
	for _, each := range []struct {
		nowMs           float64
		total, failures int
	}{{0, 1, 1}, {99, 2, 2}, {950, 3, 3}, {1000, 2, 2}, {1940, 2, 2}, {1950, 3, 3}, {1500, 4, 4}, {9000, 1, 1}} {
		window.Add(true, at(each.nowMs))
		if window.total != each.total || window.failures != each.failures {
			t.Errorf("at %v ms: %d of %d, expected %d of %d", each.nowMs, window.failures, window.total, each.failures, each.total)
		}
	}
}
