// The loop around attempts: who serves now, how it went, whether another attempt follows. It is the http.RoundTripper of
// ReverseProxy, so that ReverseProxy sees the last attempt only. The rules stand in the files that it calls.
// choose target → attempt → record → maybe retry

package main

import (
	"net/http"
	"time"
)

// From a request's arrival: after this, no further attempt starts.
const retryDeadline = 10 * time.Second

// Send makes one attempt; an argument, so that the loop knows nothing of sockets.
type Send func(outgoing *http.Request, target *Placement) (*http.Response, *AttemptFailure)

// Attempts makes the attempts of all requests.
type Attempts struct {
	resilience *Resilience
	metrics    *Metrics
	send       Send
	// In [0, 1): spreads the delays of retries.
	random func() float64
}

// #region attempts

// RoundTrip attempts until there is a response to pass on, the client has left, or nothing more may be tried.
func (a *Attempts) RoundTrip(outgoing *http.Request) (*http.Response, error) {
	x := exchangeOf(outgoing.Context())
	primary := x.decision.Placement
	// Placements without a connection: nothing was sent, so the next of the chain may serve, whatever the method.
	var unreachable map[string]bool
	var failure *AttemptFailure
	// A retry has been paid and waited for, and is yet to be made.
	isRetryDue := false
	for {
		choice, admission := a.resilience.Admit(x.table, primary, unreachable, time.Now())
		if choice.Target == nil {
			if failure == nil {
				return nil, x.refused(choice)
			}
			retry := RetryDecision{}
			if !isRetryDue {
				retry = a.mayRetry(x, primary, failure.kind(), failure.Sent)
			}
			if !retry.Retry {
				return nil, failure
			}
			clear(unreachable)
			if isRetryDue = x.wait(retry.Delay); !isRetryDue {
				return nil, x.clientAborted()
			}
			continue
		}
		x.note(choice)
		a.account(x, isRetryDue)
		isRetryDue = false

		response, failed, retry := a.attempt(outgoing, choice.Target, admission)
		switch {
		case retry.Retry:
			failure = nil
			if isRetryDue = x.wait(retry.Delay); !isRetryDue {
				return nil, x.clientAborted()
			}
		case failed == nil:
			return response, nil
		case failed.isUnreachable():
			failure = failed
			if unreachable == nil {
				unreachable = map[string]bool{}
			}
			unreachable[choice.Target.Name] = true
		default:
			return nil, failed
		}
	}
}

// #endregion attempts

// #region record

// attempt makes one attempt, records its outcome, and says whether another one may follow at the same placement.
func (a *Attempts) attempt(
	outgoing *http.Request, target *Placement, admission *Admission,
) (response *http.Response, failed *AttemptFailure, retry RetryDecision) {
	x := exchangeOf(outgoing.Context())
	isPassed := false
	defer func() {
		// What the client broke says nothing about the cell, nor does what this router could not do. A fallback's place is
		// held until the response has ended.
		if isPassed {
			x.atEnd(func() { admission.End(time.Now()) })
			return
		}
		a.record(target, admission, outcomeAbandoned)
		admission.End(time.Now())
	}()
	response, failed = a.send(outgoing, target)
	switch {
	case failed == nil:
		// Recorded with the head, not the end: a long stream must not keep a half-open breaker waiting.
		if !isFailureStatus(response.StatusCode) {
			a.record(target, admission, outcomeSuccess)
		} else {
			a.record(target, admission, outcomeFailure)
			if retry = a.mayRetry(x, target, failedByStatus, true); retry.Retry {
				response.Body.Close()
			}
		}
		isPassed = !retry.Retry
	case !failed.ClientLeft && isCellFailure(failed.Code):
		a.record(target, admission, outcomeFailure)
		// Where no connection came about, the chain is asked first: that costs this cell nothing.
		if !failed.isUnreachable() {
			retry = a.mayRetry(x, target, failed.kind(), failed.Sent)
		}
	}
	return response, failed, retry
}

func (a *Attempts) record(target *Placement, admission *Admission, outcome AttemptOutcome) {
	if !admission.isRecorded {
		admission.isRecorded = true
		admission.Record(outcome, time.Now())
		a.metrics.AttemptEnded(target.Name, outcome)
	}
}

// #endregion record

func (a *Attempts) mayRetry(x *Exchange, target *Placement, failure FailureKind, sent bool) RetryDecision {
	return mayRetry(FailedAttempt{
		Method:          x.head.Method,
		HasBody:         x.head.HasBody,
		Failure:         failure,
		Sent:            sent,
		ResponseStarted: x.response.IsAnswered(),
		Attempt:         x.retries,
		Elapsed:         time.Since(x.startedAt),
		Deadline:        retryDeadline,
	}, target.Retries, a.resilience.Guard(target).Budget, a.random)
}

// account pays one request in, once for each placement that it comes to, or counts a retry: a retry pays for nothing.
func (a *Attempts) account(x *Exchange, isRetry bool) {
	if isRetry {
		x.retries++
		a.metrics.Retried(x.served.Name)
	} else if x.retries == 0 {
		a.resilience.Guard(x.served).Budget.Deposit(time.Now())
	}
}

// wait sleeps. False when the client has left meanwhile: nobody waits for another attempt.
func (x *Exchange) wait(delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.context.Done():
		return false
	}
}

// note notes who serves, and in whose stead.
func (x *Exchange) note(choice TargetChoice) {
	x.served, x.failoverReason = choice.Target, choice.Reason
}

// refused: nobody takes the request. Isolation comes before availability, so nobody outside the chain is asked. The response is
// about the placement that was routed to, whoever was asked before.
func (x *Exchange) refused(choice TargetChoice) *AttemptFailure {
	x.served, x.failoverReason = x.decision.Placement, ""
	code := ErrorCode(choice.Reason)
	if choice.Reason == reasonConnectFailed {
		code = "upstream-unreachable"
	}
	return &AttemptFailure{Exchange: x, Code: code, Refused: true, RetryAfter: choice.RetryAfter}
}

func (x *Exchange) clientAborted() *AttemptFailure {
	return &AttemptFailure{Exchange: x, ClientLeft: true}
}

// isUnreachable: no connection came about, so nothing of the request can have reached the cell.
func (f *AttemptFailure) isUnreachable() bool {
	return !f.ClientLeft && !f.Sent && isCellFailure(f.Code)
}

func (f *AttemptFailure) kind() FailureKind {
	switch {
	case f.ClientLeft, isClientFailure(f.Code):
		return failedByClient
	case !f.Sent:
		return failedToConnect
	case f.Code == "head-timeout":
		return failedInTime
	}
	return failedConnection
}
