// Bounds what retries add to the load of a cell. Without it, an outage multiplies the load by the number of attempts at the
// very moment at which the cell can bear it least. One budget per placement: a cell in trouble must not spend the retries
// of the others.

package main

import (
	"math"
	"sync"
	"time"
)

// #region retry-budget

// RetryBudget is an account of retries: every request pays `ratio` in, every retry takes 1 out, and it is never overdrawn. Under
// a full outage a cell therefore sees at most 1 + `ratio` times the load. `minPerSecond` lets a placement with few requests
// retry at all; `maxBalance` keeps an hour without failures from paying for a storm of retries.
// https://sre.google/sre-book/handling-overload/ Per-client retry budget
type RetryBudget struct {
	mu       sync.Mutex
	settings RetryBudgetSettings
	balance  float64
	paidAt   time.Time
}

// newRetryBudget opens an account with what the minimum brings in one second.
func newRetryBudget(settings RetryBudgetSettings) *RetryBudget {
	return &RetryBudget{settings: settings, balance: math.Min(settings.MaxBalance, settings.MinPerSecond)}
}

// Deposit pays in for one request. Call it once per request, not once per attempt: retries must not pay for retries.
func (b *RetryBudget) Deposit(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	elapsed := 0.0
	if !b.paidAt.IsZero() {
		elapsed = math.Max(0, now.Sub(b.paidAt).Seconds())
	}
	// The larger one, not both: a busy placement has no use for the minimum, and the ratio stays the bound.
	paidIn := math.Max(b.settings.Ratio, b.settings.MinPerSecond*elapsed)
	b.balance = math.Min(b.settings.MaxBalance, b.balance+paidIn)
	if now.After(b.paidAt) {
		b.paidAt = now
	}
}

// TryWithdraw takes one retry out, or returns false and takes nothing.
func (b *RetryBudget) TryWithdraw() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.balance < 1-rounding {
		return false
	}
	b.balance = math.Max(0, b.balance-1)
	return true
}

// Reconfigure changes the settings. What has been paid in stays, up to the new maximum.
func (b *RetryBudget) Reconfigure(settings RetryBudgetSettings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settings = settings
	b.balance = math.Min(settings.MaxBalance, b.balance)
}

// Balance is how many retries could be taken out now, fractions included.
func (b *RetryBudget) Balance() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.balance
}

// #endregion retry-budget
