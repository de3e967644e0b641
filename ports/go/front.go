// A strict reader in front of net/http's server, as a net.Listener: what net/http gets is a request that it cannot
// misread. It stands between the socket and net/http's own reader, and holds a head back until all of it has been judged.
// `FRONT=off` takes it out: then the page shows what the standard library alone lets through.

package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// FrontListener gives each connection its reader.
type FrontListener struct{ net.Listener }

func (l FrontListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &FrontConn{Conn: conn}, nil
}

// PassedRequest is what the front knows of a request that net/http has been given.
type PassedRequest struct {
	// As it came; net/http has been given `/`, because it refuses targets that its URL parser does not like.
	Target string
	// Values of Expect fields, which net/http has not been given: it responds to them itself.
	Expectations []string
	// What was wrong with the head. net/http has been given another request in its place, so that the handler can
	// respond when the turn of this one comes. It is the last one on its connection.
	Fault ErrorCode
}

// FrontConn is one client's connection. net/http reads from it in one goroutine at a time.
type FrontConn struct {
	net.Conn
	// Read from the socket and not judged yet; judged and not handed on yet.
	raw bytes.Buffer
	out []byte
	// Holds `out`, for the next head too.
	outBuffer []byte
	head      HeadReader
	body      BodyReader
	inBody    bool
	// Nothing that follows can be trusted, or all that followed has been asked for.
	fault ErrorCode
	// Bytes may follow that nobody will read.
	unread atomic.Bool
	// The handler has done with the connection.
	isStopped atomic.Bool
	// Bytes of the present body that net/http has been given.
	bodyBytes atomic.Int64

	mu       sync.Mutex
	passed   []PassedRequest
	deadline time.Time
	// When the head that has begun must be whole; zero while none has.
	headBy time.Time
}

// errFault is what net/http's reader of a body gets; the handler finds the code in it.
type errFault struct{ code ErrorCode }

func (e errFault) Error() string { return string(e.code) }

// Next is the request that the handler has come to.
func (c *FrontConn) Next() PassedRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.passed) == 0 {
		// net/http has found a request where the front found none: the end of a body that it gave up, say.
		return PassedRequest{Fault: "malformed-request"}
	}
	next := c.passed[0]
	c.passed = c.passed[1:]
	return next
}

// #region front-read

func (c *FrontConn) Read(p []byte) (int, error) {
	for {
		switch {
		case c.isStopped.Load():
			return 0, io.EOF
		case len(c.out) > 0:
			n := copy(p, c.out)
			c.out = c.out[n:]
			return n, nil
		case c.fault != "":
			return 0, errFault{c.fault}
		case c.inBody:
			return c.readBody(p)
		}
		end, fault := c.head.Read(c.raw.Bytes())
		if fault != "" {
			c.refuse(fault)
			continue
		}
		if end > 0 {
			c.pass(c.raw.Next(end))
			continue
		}
		// net/http looks one byte ahead while a request is served. A head that begins then is not late yet.
		if c.raw.Len() > 0 && len(p) > 1 {
			c.startHeadTimer()
		}
		n, err := c.readSocket(p)
		c.raw.Write(p[:n])
		switch {
		case err == nil:
		case c.raw.Len() > 0 && errors.Is(err, os.ErrDeadlineExceeded) && !c.isInterrupted():
			c.refuse("request-timeout")
		default:
			return 0, err
		}
	}
}

func (c *FrontConn) readBody(p []byte) (int, error) {
	p = p[:c.body.Limit(len(p))]
	n := copy(p, c.raw.Bytes())
	if n == 0 {
		var err error
		if n, err = c.readSocket(p); n == 0 {
			return 0, err
		}
		c.raw.Write(p[:n])
	}
	taken, ended, fault := c.body.Take(p[:n])
	c.raw.Next(taken)
	c.bodyBytes.Store(c.body.data)
	c.fault = fault
	c.inBody = !ended
	c.unread.Store(!ended)
	if taken == 0 {
		return 0, errFault{fault}
	}
	return taken, nil
}

// #endregion front-read

// #region pass

// pass hands a good head on: as it came, but for its target and its expectations.
func (c *FrontConn) pass(head []byte) {
	h := &c.head
	out := append(c.outBuffer[:0], head[h.lineFrom:h.targetFrom]...)
	out = append(out, '/')
	from := h.targetTo
	for _, line := range h.expectLines {
		out = append(out, head[from:line[0]]...)
		from = line[1]
	}
	out = append(out, head[from:]...)
	c.handOn(out, PassedRequest{Target: string(head[h.targetFrom:h.targetTo]), Expectations: h.expectations})
	c.body = h.Body()
	c.bodyBytes.Store(0)
	c.inBody = c.body.framing != noBody
	c.unread.Store(c.inBody)
	c.head = HeadReader{}
}

// refuse hands a request on in the place of bytes that are none.
func (c *FrontConn) refuse(fault ErrorCode) {
	c.fault = fault
	c.unread.Store(true)
	c.raw.Reset()
	c.handOn([]byte("GET / HTTP/1.1\r\nHost: front\r\nConnection: close\r\n\r\n"), PassedRequest{Fault: fault})
}

func (c *FrontConn) handOn(out []byte, request PassedRequest) {
	c.out, c.outBuffer = out, out
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed = append(c.passed, request)
	if !c.headBy.IsZero() {
		c.headBy = time.Time{}
		c.Conn.SetReadDeadline(c.deadline)
	}
}

// #endregion pass
