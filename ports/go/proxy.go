// One request through the router: check it, read one snapshot, decide, attempt, log. The order of the steps stands here and
// nowhere else; each step's rules live in the file that it calls.
// route → rate limit → concurrency limit → attempts (choose target → attempt → record → maybe retry) → log

package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// ProxyHandler serves the clients. httputil.ReverseProxy does the proxying; attempts are its transport.
type ProxyHandler struct {
	store        *TableStore
	resilience   *Resilience
	accessLog    *AccessLog
	newRequestID func() string
	reverse      *httputil.ReverseProxy
}

// Exchange is everything that one request gathers on its way.
type Exchange struct {
	requestID string
	startedAt time.Time
	request   *http.Request
	target    string
	response  *ClientResponse
	conn      net.Conn
	// Ends when the client has left. It holds the exchange itself.
	context  context.Context
	head     RequestHead
	table    *RoutingTable
	decision RouteDecision
	// The client's body; nil where there is none.
	body     *RequestBody
	bytesOut int64

	// Who serves, once chosen: the placement routed to, or one that stands in.
	served         *Placement
	failoverReason FailoverReason
	retries        int

	// How it ended.
	outcome Outcome
	code    ErrorCode
	cause   string
	ends    []func()
}

type contextKey int

const (
	exchangeKey contextKey = iota
	connKey
)

func exchangeOf(ctx context.Context) *Exchange { return ctx.Value(exchangeKey).(*Exchange) }

// atEnd calls end when the request has ended, one way or another.
func (x *Exchange) atEnd(end func()) { x.ends = append(x.ends, end) }

func (x *Exchange) end() {
	for _, end := range x.ends {
		end()
	}
}

func newProxyHandler(
	store *TableStore, resilience *Resilience, attempts http.RoundTripper, accessLog *AccessLog, newRequestID func() string,
) *ProxyHandler {
	p := &ProxyHandler{store: store, resilience: resilience, accessLog: accessLog, newRequestID: newRequestID}
	p.reverse = &httputil.ReverseProxy{
		Transport:      attempts,
		Rewrite:        rewrite,
		ModifyResponse: modifyResponse,
		ErrorHandler:   p.onFailure,
		BufferPool:     &bufferPool{},
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	return p
}

// #region serve

func (p *ProxyHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &Exchange{startedAt: time.Now(), outcome: outcomeComplete, target: r.RequestURI}
	x.conn, _ = r.Context().Value(connKey).(net.Conn)
	x.context = context.WithValue(r.Context(), exchangeKey, x)
	// A copy: net/http looks into its own request to see whether the body has been read to its end.
	x.request = r.WithContext(x.context)
	controller := http.NewResponseController(w)
	x.response = &ClientResponse{ResponseWriter: w, controller: controller, request: r, exchange: x}
	if x.requestID = requestIDOf(r.Header); x.requestID == "" {
		x.requestID = p.newRequestID()
	}
	if r.ContentLength != 0 {
		x.body = &RequestBody{body: r.Body}
		if front, ok := x.conn.(*FrontConn); ok && r.ContentLength < 0 {
			x.body.arrived = &front.bodyBytes
		}
		// Otherwise net/http would read the rest of the body before it wrote the first byte of a response.
		controller.EnableFullDuplex()
	}
	// In this order: contain a fault, give back what was taken, log.
	defer p.log(x)
	defer x.end()
	defer p.contain(x)
	p.serve(x)
}

func (p *ProxyHandler) serve(x *Exchange) {
	if front, ok := x.conn.(*FrontConn); ok {
		passed := front.Next()
		if x.target = passed.Target; len(passed.Expectations) > 0 {
			x.request.Header["Expect"] = passed.Expectations
		}
		if passed.Fault != "" {
			// What it asked for is not known: no method and no path can be trusted.
			x.request.Method = ""
			p.refuse(x, passed.Fault, 0)
			return
		}
	}
	head, refusal := readRequestHead(x.request, x.target)
	x.head = head
	if refusal != "" {
		p.refuse(x, refusal, 0)
		return
	}

	// One read: a swap mid-request must not let one request see two tables.
	snapshot := p.store.Current()
	if snapshot == nil {
		p.refuse(x, "no-routing-table", 0)
		return
	}
	x.table = snapshot.Table
	x.decision = route(x.table, head.RoutingKey)
	x.served = x.decision.Placement
	if head.HopsLeft == 0 {
		p.respondHere(x)
		return
	}

	if wait := p.resilience.TryTake(head.RoutingKey, x.decision.Placement, time.Now()); wait > 0 {
		p.refuse(x, "rate-limited", wait)
		return
	}
	// Held until the request has ended, whoever serves it: what spills over to others is bounded by this limit too.
	place := p.resilience.Guard(x.decision.Placement).Limit.TryAcquire()
	if place == nil {
		p.refuse(x, "overloaded", 0)
		return
	}
	x.atEnd(place.Release)
	// It is ignored, and changes nothing about the connection. https://www.rfc-editor.org/rfc/rfc9110#section-7.8
	delete(x.request.Header, "Upgrade")
	p.reverse.ServeHTTP(x.response, x.request)
}

// #endregion serve

// #region passes

// rewrite is ReverseProxy's way to let us write the request for the cell. Its address is set by the attempt.
func rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	address, _, err := net.SplitHostPort(pr.In.RemoteAddr)
	if err != nil {
		address = "unknown"
	}
	upstreamHeaders(pr.Out.Header, pr.In.Header, ForwardingContext{address, x.requestID, &x.head})
	pr.Out.Host = ""
	// Trailers of a request arrive after the decision; they are read and dropped.
	pr.Out.Trailer = nil
}

// modifyResponse is ReverseProxy's way to let us write the response for the client.
func modifyResponse(response *http.Response) error {
	x := exchangeOf(response.Request.Context())
	if response.StatusCode < 200 {
		return &AttemptFailure{Exchange: x, Code: errSwitched.code, Cause: errSwitched.cause, Sent: true}
	}
	downstreamHeaders(response.Header, x.routingFields())
	// Trailers follow a body in chunks, so an HTTP/1.0 client is told of none.
	if !x.request.ProtoAtLeast(1, 1) {
		response.Trailer = nil
	}
	endToEndTrailers(response.Trailer)
	// ReverseProxy flushes a response without a length from another goroutine, which writes the head alone. Here,
	// ClientResponse knows better what to wait for; only ReverseProxy looks at this.
	response.ContentLength = 0
	return nil
}

// routingFields is what a response says about the decision, and about what came of it so far.
func (x *Exchange) routingFields() RoutingFields {
	fields := RoutingFields{RequestID: x.requestID, RoutedTo: x.served.Name, RouteReason: string(x.decision.Reason)}
	if x.failoverReason != "" {
		fields.FailoverFrom, fields.FailoverReason = x.decision.Placement.Name, x.failoverReason
	}
	fields.Retries = x.retries
	return fields
}

// #endregion passes

// respondHere answers an OPTIONS whose Max-Forwards has come down to 0: nobody behind this router may see it.
func (p *ProxyHandler) respondHere(x *Exchange) {
	header := x.response.Header()
	header["Allow"] = []string{allowedMethods}
	writeRoutingFields(header, x.routingFields())
	x.response.WriteHeader(http.StatusNoContent)
}

const allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// bufferPool lends ReverseProxy its copy buffers.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte {
	if buffer, ok := p.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32*1024)
}

func (p *bufferPool) Put(buffer []byte) { p.pool.Put(&buffer) }
