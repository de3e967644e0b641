// Decides whether a failed attempt may be made again, and after which delay. Where the next attempt goes is decided by
// `failover.go`; what the attempts cost together is bounded by `retry_budget.go`.

package main

import (
	"net/http"
	"time"
)

// FailureKind is how an attempt failed.
type FailureKind string

const (
	// No connection came about, so nothing of the request can have reached the cell.
	failedToConnect FailureKind = "connect-failed"
	// The connection ended before the response's head was complete.
	failedConnection FailureKind = "connection-broken"
	// No response's head within the time limit.
	failedInTime FailureKind = "timed-out"
	// The cell responded with one of isFailureStatus.
	failedByStatus FailureKind = "failure-status"
	// The client left. Nobody waits for a response any more.
	failedByClient FailureKind = "client-aborted"
)

// FailedAttempt is all that the decision depends on.
type FailedAttempt struct {
	Method  string
	HasBody bool
	Failure FailureKind
	// A byte of the request may have reached the cell. When in doubt, true.
	Sent bool
	// A byte of a response, interim ones included, has gone to the client.
	ResponseStarted bool
	// Retries made before this attempt: 0 when it was the first one.
	Attempt int
	// Since the request arrived, and until when no further attempt may start.
	Elapsed, Deadline time.Duration
}

// RetryDecision is a delay, or the reason for none.
type RetryDecision struct {
	Retry bool
	Delay time.Duration
	Why   string
}

// Methods whose effect is the same when the cell gets the request twice.
// https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
var idempotentMethods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodOptions: true, http.MethodPut: true, http.MethodDelete: true,
}

// isFailureStatus: by these a cell, or a proxy in front of it, says that it could not serve.
func isFailureStatus(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// #region may-retry

// mayRetry tells whether to make a failed attempt again. The budget is asked last, and pays only for a retry that will be made.
//
// settings: of the placement; nil switches retries off. random: in [0, 1).
func mayRetry(failed FailedAttempt, settings *RetrySettings, budget *RetryBudget, random func() float64) RetryDecision {
	switch {
	case settings == nil:
		return RetryDecision{Why: "not-configured"}
	case failed.Failure == failedByClient:
		return RetryDecision{Why: "client-aborted"}
	case failed.ResponseStarted:
		// The client already holds the beginning of one response; a second one cannot be stitched to it.
		return RetryDecision{Why: "response-started"}
	case !isRepeatable(failed):
		return RetryDecision{Why: "not-repeatable"}
	case failed.Attempt >= settings.MaxRetries:
		return RetryDecision{Why: "retries-used-up"}
	}
	delay := nextDelay(failed.Attempt, random, settings.BaseMs, settings.CapMs)
	if failed.Elapsed+delay >= failed.Deadline {
		return RetryDecision{Why: "deadline"}
	}
	if !budget.TryWithdraw() {
		return RetryDecision{Why: "budget-exhausted"}
	}
	return RetryDecision{Retry: true, Delay: delay}
}

// isRepeatable: a cell may have acted on all that was sent to it, whether it responded or not: a second POST may charge twice.
func isRepeatable(failed FailedAttempt) bool {
	if failed.Failure == failedToConnect && !failed.Sent {
		return true
	}
	// A body is streamed and not kept: what was sent of it is gone.
	return !failed.HasBody && idempotentMethods[failed.Method]
}

// #endregion may-retry
