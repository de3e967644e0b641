// How a request ends where no response of a cell is passed on whole: refused in the router's own name, cut, or failed by a
// fault of the router itself. And its line in the log.

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

const (
	// How much of a refused request's body is read, and for how long, so that the connection can go on. Most bodies have
	// come along with their head.
	restBytes   = 64 * 1024
	restTimeout = 5 * time.Millisecond
)

// #region refuse

// refuse responds in the router's own name.
func (p *ProxyHandler) refuse(x *Exchange, code ErrorCode, retryAfter time.Duration) {
	x.code = code
	x.readRest()
	body := problemBody(code, x.requestID)
	header := x.response.Header()
	clear(header)
	header["Content-Type"] = []string{"application/problem+json"}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	header["Cache-Control"] = []string{"no-store"}
	header["X-Request-Id"] = []string{x.requestID}
	if x.served != nil {
		writeRoutingFields(header, x.routingFields())
	}
	status := problems[code].Status
	if code == "method-not-allowed" {
		header["Allow"] = []string{allowedMethods}
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		seconds := math.Max(1, math.Ceil(retryAfter.Seconds()))
		header["Retry-After"] = []string{strconv.Itoa(int(seconds))}
	}
	if framingDoubts[code] {
		// Nothing after it on this connection can be trusted.
		header["Connection"] = []string{"close"}
	}
	x.response.bodyFollows, x.response.bodyEnds = true, true
	x.response.WriteHeader(status)
	if x.request.Method != http.MethodHead {
		x.response.Write(body)
	}
}

var framingDoubts = map[ErrorCode]bool{
	"malformed-request": true, "ambiguous-host": true, "connect-not-supported": true,
	"transfer-coding-not-supported": true, "version-not-supported": true,
}

// readRest reads a small body that is here already. Otherwise the connection could not go on.
func (x *Exchange) readRest() {
	if x.body == nil || x.body.isEnded.Load() || x.head.ExpectsContinue && !x.response.isContinued {
		return
	}
	x.response.controller.SetReadDeadline(time.Now().Add(restTimeout))
	if _, err := io.CopyN(io.Discard, x.body.body, restBytes); err == io.EOF {
		x.body.isEnded.Store(true)
	}
}

// #endregion refuse

// #region failures

// onFailure is told by ReverseProxy that there is no response to pass on.
func (p *ProxyHandler) onFailure(_ http.ResponseWriter, _ *http.Request, err error) {
	var failure *AttemptFailure
	if !errors.As(err, &failure) {
		panic(err)
	}
	x := failure.Exchange
	if failure.ClientLeft {
		x.outcome = outcomeClientAborted
		panic(http.ErrAbortHandler)
	}
	x.cause = failure.Cause
	if !failure.Refused && problems[failure.Code].Status >= http.StatusBadGateway && failure.Code != "router-exhausted" {
		x.outcome = outcomeUpstreamFailed
	}
	p.refuse(x, failure.Code, failure.RetryAfter)
}

// onBodyError notes why a response's body cannot be passed on whole; the cut itself is ReverseProxy's.
func (x *Exchange) onBodyError(err error) {
	switch fault := x.body.Fault(); {
	case fault != nil:
		x.outcome, x.code = outcomeClientAborted, fault.Code
	case x.context.Err() == nil:
		x.outcome, x.code, x.cause = outcomeUpstreamFailed, upstreamErrorCode(err), causeOf(err)
	}
}

// contain is deferred: whatever has happened, it costs this request and no other one.
func (p *ProxyHandler) contain(x *Exchange) {
	fault := recover()
	switch {
	case fault == nil:
		if x.body != nil && !x.body.isEnded.Load() {
			// The response says that the connection ends. net/http would first wait for the rest of the body, for ever.
			stopReading(x.conn)
		}
		return
	case fault != http.ErrAbortHandler:
		x.code, x.cause = "router-fault", fmt.Sprintf("%v\n%s", fault, debug.Stack())
		if x.response.status == 0 {
			p.refuse(x, "router-fault", 0)
			return
		}
	case x.outcome == outcomeComplete:
		// ReverseProxy could not write.
		x.outcome = outcomeClientAborted
	}
	// Ending the response in order would make a cut body look whole.
	cut(x.conn, !x.request.ProtoAtLeast(1, 1))
	panic(http.ErrAbortHandler)
}

// #endregion failures

func (p *ProxyHandler) log(x *Exchange) {
	entry := AccessEntry{
		RequestID: x.requestID,
		Method:    x.request.Method,
		Path:      x.target,
		Status:    x.response.status,
		Duration:  time.Since(x.startedAt),
		BytesIn:   x.body.BytesIn(),
		BytesOut:  x.bytesOut,
		Outcome:   x.outcome,
		Code:      x.code,
		Cause:     x.cause,
	}
	if x.head.Path != "" {
		entry.Path = x.head.Path
	}
	if x.served != nil {
		entry.RoutingKey = x.head.RoutingKey
		entry.Placement, entry.Reason = x.decision.Placement.Name, x.decision.Reason
		entry.Upstream, entry.Retries = x.served.URL, x.retries
		if x.failoverReason != "" {
			entry.ServedBy, entry.FailoverReason = x.served.Name, x.failoverReason
		}
	}
	p.accessLog.Record(entry)
}
