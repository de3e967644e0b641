// One attempt to serve one request at one endpoint: sends it, and says how it failed. Transport sends and streams; here stands
// what it does not know. Which endpoint, whether to try again and what an error looks like is decided elsewhere.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Connections over which a request may be sent before a response comes: the kept ones may all have been closed meanwhile.
const maxConnections = 3

// Attempt is one attempt. Its methods are called by Transport's goroutines too.
type Attempt struct {
	exchange *Exchange
	isHead   bool
	// Ends the attempt with a cause that Transport does not take for a stale connection.
	Cancel context.CancelCauseFunc
	// The connection in use, and how many the request went out on.
	conn        atomic.Pointer[CellConn]
	connections int
	// Transport's way to pass interim responses on, which ReverseProxy has set.
	passInterim  func(code int, header textproto.MIMEHeader) error
	interimBytes int
}

// AttemptFailure says why there is no response to pass on.
type AttemptFailure struct {
	Exchange *Exchange
	Code     ErrorCode
	Cause    string
	// Some of the request may have reached the cell.
	Sent bool
	// Nobody waits for a response.
	ClientLeft bool
	// Nobody was asked: nobody takes the request before this time is over, as far as is known.
	Refused    bool
	RetryAfter time.Duration
}

func (f *AttemptFailure) Error() string { return string(f.Code) }

// #region attempt

// attempt sends the request to target. The response's body must be read or closed.
func (u *Upstreams) attempt(outgoing *http.Request, target *Placement) (*http.Response, *AttemptFailure) {
	x := exchangeOf(outgoing.Context())
	// Not the outgoing request's own context: httptrace would join the two traces by reflection.
	ctx, cancel := context.WithCancelCause(x.context)
	x.atEnd(func() { cancel(nil) })
	a := &Attempt{exchange: x, isHead: outgoing.Method == http.MethodHead, Cancel: cancel}
	if trace := httptrace.ContextClientTrace(outgoing.Context()); trace != nil {
		a.passInterim = trace.Got1xxResponse
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:        a.onConnection,
		WroteRequest:   a.onRequestSent,
		Got1xxResponse: a.onInterim,
	})
	request := outgoing.WithContext(ctx)
	request.URL, _ = cellURL(target.Host, x.head.Path)
	pool := u.PoolFor(target.URL)
	for {
		if x.body != nil {
			request.Body = x.body.Attempt()
			request.GetBody = x.untouchedBody
		}
		response, err := pool.RoundTrip(request)
		if err == nil {
			conn := a.conn.Load()
			conn.OnHead(a)
			x.response.bodyFollows = conn.HasBody()
			response.Body = &ResponseBody{response.Body, x, response, conn, response.ContentLength}
			keepNominated(response.Header)
			return response, nil
		}
		if !a.mayRepeat(request) {
			return nil, a.failure(ctx, err)
		}
	}
}

// untouchedBody lets Transport begin anew on another connection, if nothing has gone out yet.
func (x *Exchange) untouchedBody() (io.ReadCloser, error) {
	if x.body.IsUntouched() {
		return x.body.Attempt(), nil
	}
	return nil, errors.New("some of the body has been sent")
}

// mayRepeat does for PUT and DELETE what Transport does for GET and HEAD.
func (a *Attempt) mayRepeat(request *http.Request) bool {
	conn := a.conn.Load()
	return (request.Method == http.MethodPut || request.Method == http.MethodDelete) && a.exchange.body == nil &&
		conn != nil && conn.MayBeStale() && a.connections < maxConnections && request.Context().Err() == nil
}

// #endregion attempt

// failure finds out who or what ended the attempt.
func (a *Attempt) failure(ctx context.Context, err error) *AttemptFailure {
	x := a.exchange
	failure := &AttemptFailure{Exchange: x, Sent: a.conn.Load() != nil}
	cause := context.Cause(ctx)
	switch fault := x.body.Fault(); {
	case fault != nil:
		failure.ClientLeft, failure.Code = fault.HasLeft, fault.Code
		return failure
	case x.context.Err() != nil:
		failure.ClientLeft = true
		return failure
	case cause != nil:
		err = cause
	}
	failure.Code, failure.Cause = upstreamErrorCode(err), causeOf(err)
	return failure
}

// #region trace

// onConnection: the request goes out next, on this connection.
func (a *Attempt) onConnection(info httptrace.GotConnInfo) {
	conn, ok := info.Conn.(*CellConn)
	if !ok || !conn.OnRequest(a) {
		return
	}
	a.conn.Store(conn)
	a.connections++
	if a.connections > maxConnections {
		a.Cancel(errStaleTooOften)
		return
	}
	// Not before somebody takes the request: a client that is refused has not sent its body for nothing.
	a.exchange.response.sendContinue()
}

func (a *Attempt) onRequestSent(info httptrace.WroteRequestInfo) {
	if conn := a.conn.Load(); info.Err == nil && conn != nil {
		conn.OnRequestSent(a)
	}
}

// onInterim passes an interim response on, or ends the attempt when there is no end of them.
func (a *Attempt) onInterim(code int, header textproto.MIMEHeader) (err error) {
	defer containFault(&err)
	for name, values := range header {
		for _, value := range values {
			a.interimBytes += len(name) + len(value)
		}
	}
	a.interimBytes += len("HTTP/1.1 103 Early Hints\r\n\r\n")
	if a.interimBytes > maxInterimBytes {
		a.Cancel(errInterimTooLong)
		return errInterimTooLong
	}
	if a.passInterim == nil {
		return nil
	}
	return a.passInterim(code, header)
}

// #endregion trace

// containFault turns a panic into an error, in functions that Transport calls in goroutines of its own: there, a panic ends
// the process.
func containFault(err *error) {
	if fault := recover(); fault != nil {
		*err = &codedError{"router-fault", fmt.Sprintf("%v\n%s", fault, debug.Stack())}
	}
}

// #region response-body

// ResponseBody is a cell's body on its way to the client.
type ResponseBody struct {
	io.ReadCloser
	exchange *Exchange
	response *http.Response
	conn     *CellConn
	// -1 where only the end of the body tells.
	length int64
}

func (b *ResponseBody) Read(p []byte) (int, error) {
	x := b.exchange
	n, err := readArrived(b.ReadCloser, p, func() int64 {
		if b.length >= 0 {
			return unknownSize
		}
		return b.conn.Arrived(x.bytesOut)
	})
	x.bytesOut += int64(n)
	x.response.bodyEnds = x.bytesOut == b.length || b.length < 0 && b.conn.HasEnded(x.bytesOut)
	switch {
	case err == io.EOF:
		// Only now are they known. ReverseProxy passes all of them on.
		endToEndTrailers(b.response.Trailer)
	case err != nil:
		x.onBodyError(err)
	}
	return n, err
}

// #endregion response-body
