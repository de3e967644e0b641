package main

import (
	"fmt"
	"testing"
	"time"
)

// A GET whose connection broke: the plainest case that may be tried again.
var brokenGet = FailedAttempt{
	Method: "GET", Failure: failedConnection, Sent: true, Elapsed: 5 * time.Millisecond, Deadline: 10 * time.Second,
}

func plenty() *RetryBudget {
	return newRetryBudget(RetryBudgetSettings{MinPerSecond: 100, MaxBalance: 100})
}

func half() float64 { return 0.5 }

func TestMayRetry(t *testing.T) {
	retried := RetryDecision{Retry: true, Delay: 12500 * time.Microsecond}
	refused := func(why string) RetryDecision { return RetryDecision{Why: why} }
	with := func(change func(*FailedAttempt)) FailedAttempt {
		failed := brokenGet
		change(&failed)
		return failed
	}
	post := func(failure FailureKind, sent bool) FailedAttempt {
		return with(func(f *FailedAttempt) { f.Method, f.HasBody, f.Failure, f.Sent = "POST", true, failure, sent })
	}
	for _, each := range []struct {
		title    string
		failed   FailedAttempt
		expected RetryDecision
	}{
		{"a GET", brokenGet, retried},
		{"a GET that timed out", with(func(f *FailedAttempt) { f.Failure = failedInTime }), retried},
		{"a GET with a failure status", with(func(f *FailedAttempt) { f.Failure = failedByStatus }), retried},
		{"a client that left", with(func(f *FailedAttempt) { f.Failure = failedByClient }), refused("client-aborted")},
		{"a small get", with(func(f *FailedAttempt) { f.Method = "get" }), refused("not-repeatable")},
		{"a PATCH", with(func(f *FailedAttempt) { f.Method = "PATCH" }), refused("not-repeatable")},
		{"a POST, nothing sent", post(failedToConnect, false), retried},
		{"a POST, in doubt", post(failedToConnect, true), refused("not-repeatable")},
		{"a POST, broken", post(failedConnection, true), refused("not-repeatable")},
		{"a POST, broken before", post(failedConnection, false), refused("not-repeatable")},
		{"a PUT with a body", with(func(f *FailedAttempt) { f.Method, f.HasBody = "PUT", true }), refused("not-repeatable")},
		{"a response that has begun", with(func(f *FailedAttempt) { f.ResponseStarted = true }), refused("response-started")},
		{"the second retry", with(func(f *FailedAttempt) { f.Attempt = 1 }), RetryDecision{Retry: true, Delay: 25 * time.Millisecond}},
		{"a third retry", with(func(f *FailedAttempt) { f.Attempt = 2 }), refused("retries-used-up")},
		{"just in time", with(func(f *FailedAttempt) { f.Elapsed = milliseconds(9987.4) }), retried},
		{"too late", with(func(f *FailedAttempt) { f.Elapsed = milliseconds(9987.5) }), refused("deadline")},
	} {
		t.Run(each.title, func(t *testing.T) {
			if got := mayRetry(each.failed, &defaultRetries, plenty(), half); got != each.expected {
				t.Errorf("%+v, expected %+v", got, each.expected)
			}
		})
	}
	if got := mayRetry(brokenGet, nil, plenty(), half); got.Why != "not-configured" {
		t.Errorf("without settings: %+v", got)
	}
	empty := newRetryBudget(RetryBudgetSettings{MaxBalance: 1})
	if got := mayRetry(brokenGet, &defaultRetries, empty, half); got.Why != "budget-exhausted" {
		t.Errorf("with an empty budget: %+v", got)
	}
}

func TestNextDelay(t *testing.T) {
	for _, each := range []struct {
		attempt  int
		random   float64
		expected time.Duration
	}{{0, 0, 0}, {0, 0.5, 50 * time.Millisecond}, {3, 0.5, 400 * time.Millisecond}, {4, 0.5, 500 * time.Millisecond},
		{2000, 0.5, 500 * time.Millisecond}} {
		if got := nextDelay(each.attempt, func() float64 { return each.random }, 100, 1000); got != each.expected {
			t.Errorf("attempt %d: %v, expected %v", each.attempt, got, each.expected)
		}
	}
}

func TestRetryBudgetBuysOneRetryForSoManyRequests(t *testing.T) {
	for _, each := range []struct {
		ratio    float64
		requests int
	}{{0.2, 5}, {0.1, 10}, {0.5, 2}, {1, 1}} {
		budget := newRetryBudget(RetryBudgetSettings{Ratio: each.ratio, MaxBalance: 10})
		for n := 1; n <= each.requests; n++ {
			budget.Deposit(at(float64(n)))
			if budget.TryWithdraw() != (n == each.requests) {
				t.Errorf("ratio %v: request %d", each.ratio, n)
			}
		}
		if budget.TryWithdraw() {
			t.Errorf("ratio %v: overdrawn", each.ratio)
		}
	}
}

func TestRetryBudgetSavesUpNoMoreThanItsMaximum(t *testing.T) {
	withdrawals := func(b *RetryBudget) (count int) {
		for b.TryWithdraw() {
			count++
		}
		return count
	}
	first := newRetryBudget(defaultRetryBudget)
	first.Deposit(at(0))
	if count := withdrawals(first); count != 2 {
		t.Errorf("the very first request can use %d retries", count)
	}
	busy := newRetryBudget(defaultRetryBudget)
	for now := 0.0; now < 3_600_000; now += 10 {
		busy.Deposit(at(now))
	}
	quiet := newRetryBudget(defaultRetryBudget)
	quiet.Deposit(at(0))
	quiet.Deposit(at(3_600_000))
	if fmt.Sprint(withdrawals(busy), withdrawals(quiet)) != "10 10" {
		t.Error("an hour has saved up more than the maximum")
	}
	backwards := newRetryBudget(RetryBudgetSettings{MinPerSecond: 1, MaxBalance: 100})
	for _, now := range []float64{10_000, 0, 10_000} {
		backwards.Deposit(at(now))
	}
	if backwards.Balance() != 1 {
		t.Errorf("a clock that went back has paid in: %v", backwards.Balance())
	}
	kept := newRetryBudget(RetryBudgetSettings{Ratio: 1, MaxBalance: 10})
	for now := range 8 {
		kept.Deposit(at(float64(now)))
	}
	kept.Reconfigure(RetryBudgetSettings{Ratio: 1, MaxBalance: 100})
	kept.Reconfigure(RetryBudgetSettings{Ratio: 1, MaxBalance: 3})
	if kept.Balance() != 3 {
		t.Errorf("a change has kept %v", kept.Balance())
	}
}
