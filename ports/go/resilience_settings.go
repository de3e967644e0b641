// The optional settings of resilience, as they stand in the routing table once it has been parsed: names, units, defaults.
// Everything is optional: a part that a table does not name is switched off for that placement.

package main

import "time"

// RateLimitSettings: at most `burst` requests at once and `ratePerSecond` in the long run.
type RateLimitSettings struct {
	// Tokens that flow in per second; more than 0, fractions allowed.
	RatePerSecond float64 `json:"ratePerSecond"`
	// Tokens that the bucket holds when full; at least 1.
	Burst float64 `json:"burst"`
}

// HealthSettings: active health check of one placement's endpoint.
type HealthSettings struct {
	// Path that the probe requests, beginning with `/`.
	Path string `json:"path"`
	// Milliseconds from one probe's end to the next one's start, ±10 % jitter.
	IntervalMs float64 `json:"intervalMs"`
	// A probe without a response after this many milliseconds has failed.
	TimeoutMs float64 `json:"timeoutMs"`
	// Successful probes in a row that make an unhealthy cell healthy; at least 1.
	Rise int `json:"rise"`
	// Failed probes in a row that make a healthy cell unhealthy; at least 1.
	Fall int `json:"fall"`
}

// CircuitBreakerSettings of one placement. The circuit opens at whichever of the two thresholds is reached first.
type CircuitBreakerSettings struct {
	// Failures in a row that open the circuit; at least 1.
	ConsecutiveFailures int `json:"consecutiveFailures"`
	// Share of failures in the window that opens the circuit; more than 0, at most 1.
	FailureRatio float64 `json:"failureRatio"`
	// Length of the rolling window, in milliseconds.
	WindowMs float64 `json:"windowMs"`
	// Results that the window must hold before the ratio means anything; at least 1.
	MinimumRequests int `json:"minimumRequests"`
	// How long the circuit stays open the first time, in milliseconds.
	WaitMs float64 `json:"waitMs"`
	// Each failed half-open phase doubles the wait, up to this many milliseconds.
	MaxWaitMs float64 `json:"maxWaitMs"`
	// Requests that half-open lets through; all of them must succeed to close. At least 1.
	HalfOpenProbes int `json:"halfOpenProbes"`
}

// RetrySettings: retries of requests to one placement, delays as in `backoff.go`.
type RetrySettings struct {
	// Attempts after the first: from 0 to mostRetries.
	MaxRetries int `json:"maxRetries"`
	// Ceiling of the first delay, in milliseconds.
	BaseMs float64 `json:"baseMs"`
	// Ceiling of every delay, in milliseconds.
	CapMs float64 `json:"capMs"`
}

// RetryBudgetSettings: how much load retries may add, for each placement on its own.
type RetryBudgetSettings struct {
	// Share of a retry that each request pays for; 0.2 allows one retry in five requests.
	Ratio float64 `json:"ratio"`
	// Retries per second that are allowed however few requests there are; 0 for none.
	MinPerSecond float64 `json:"minPerSecond"`
	// Most retries that can be saved up in quiet times; at least 1.
	MaxBalance float64 `json:"maxBalance"`
}

// PlacementResilience is what a placement may carry beside its name, kind and URL. Nil: off.
type PlacementResilience struct {
	// Of all requests whose routing key leads to this placement.
	RateLimit *RateLimitSettings `json:"rateLimit,omitempty"`
	// Most requests in flight at one moment (bulkhead); 0 for no limit.
	ConcurrencyLimit int                     `json:"concurrencyLimit,omitempty"`
	Health           *HealthSettings         `json:"health,omitempty"`
	CircuitBreaker   *CircuitBreakerSettings `json:"circuitBreaker,omitempty"`
	// Placements that may serve in this one's stead, best first; no other one ever does. Each may name its own.
	Fallback []string       `json:"fallback,omitempty"`
	Retries  *RetrySettings `json:"retries,omitempty"`
}

// TableResilience is what the table may carry at its top level.
type TableResilience struct {
	// Rate limit of each routing key named here.
	KeyLimits map[string]RateLimitSettings
	// One rate limit for all routing keys together that the table does not name anywhere.
	UnlistedKeysLimit *RateLimitSettings
	RetryBudget       RetryBudgetSettings
}

// A third retry hardly ever succeeds where two failed, and makes an outage dearer for everyone.
const mostRetries = 2

// #region defaults

// For each field that a part of the table leaves out.
var (
	defaultHealth         = HealthSettings{Path: "/health", IntervalMs: 2000, TimeoutMs: 1000, Rise: 2, Fall: 3}
	defaultCircuitBreaker = CircuitBreakerSettings{
		ConsecutiveFailures: 5, FailureRatio: 0.5, WindowMs: 10_000, MinimumRequests: 20, WaitMs: 5000, MaxWaitMs: 60_000,
		HalfOpenProbes: 3,
	}
	defaultRetries     = RetrySettings{MaxRetries: 2, BaseMs: 25, CapMs: 250}
	defaultRetryBudget = RetryBudgetSettings{Ratio: 0.2, MinPerSecond: 2, MaxBalance: 10}
)

// #endregion defaults

// milliseconds turns a setting into Go's unit.
func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
