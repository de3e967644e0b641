// One client's connection behind the front: until when it may be read, and how it ends. What is read is in `front.go`.

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

const (
	// From the first byte of a head to its end.
	headReadTimeout = 10 * time.Second
	// How long what has arrived in the meantime may take to be read, once time is up: a process that was paused must not
	// blame anybody for what waits in its sockets.
	grace = 20 * time.Millisecond
	// How long a client whose connection ends may take to read the last response.
	lingerTimeout = time.Second
)

// #region deadlines

// SetReadDeadline is net/http's. Its limit for the head begins after the first bytes that it gets, which the front holds
// back: so the front has one of its own.
func (c *FrontConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetReadDeadline(c.effectiveDeadline())
}

func (c *FrontConn) startHeadTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.headBy.IsZero() {
		c.headBy = time.Now().Add(headReadTimeout)
		c.Conn.SetReadDeadline(c.effectiveDeadline())
	}
}

func (c *FrontConn) effectiveDeadline() time.Time {
	if c.headBy.IsZero() || !c.deadline.IsZero() && c.deadline.Before(c.headBy) {
		return c.deadline
	}
	return c.headBy
}

// readSocket reads, and looks once more when time is up.
func (c *FrontConn) readSocket(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || c.isInterrupted() {
		return n, err
	}
	c.lookAgain(time.Now().Add(grace))
	n, err = c.Conn.Read(p)
	c.lookAgain(time.Time{})
	return n, err
}

// lookAgain puts `until` in the place of the deadline, or the deadline back in its place, unless net/http has interrupted
// the read meanwhile.
func (c *FrontConn) lookAgain(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isLongAgo(c.deadline) {
		return
	}
	if until.IsZero() {
		until = c.effectiveDeadline()
	}
	c.Conn.SetReadDeadline(until)
}

func (c *FrontConn) isInterrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return isLongAgo(c.deadline)
}

// isLongAgo: with a deadline in a former century, net/http interrupts a read that it no longer needs.
func isLongAgo(deadline time.Time) bool {
	return !deadline.IsZero() && time.Since(deadline) > 24*time.Hour
}

// #endregion deadlines

// Close ends the connection. Closed with unread bytes in the socket, it would be reset, and the reset could take the last
// response with it.
func (c *FrontConn) Close() error {
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok || !c.unread.Swap(false) || tcp.CloseWrite() != nil {
		return c.Conn.Close()
	}
	c.Conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	go func() {
		io.Copy(io.Discard, c.Conn)
		c.Conn.Close()
	}()
	return nil
}

// stopReading lets whoever reads from a client's connection find its end. What is written still goes out.
func stopReading(conn net.Conn) {
	switch conn := conn.(type) {
	case *FrontConn:
		conn.isStopped.Store(true)
	case *net.TCPConn:
		conn.CloseRead()
	}
}

// cut ends a client's connection in the middle of a response, which must not look whole. With reset, the client gets an
// error in any case: to an HTTP/1.0 client, the end of the connection is the end of the body.
func cut(conn net.Conn, reset bool) {
	if front, ok := conn.(*FrontConn); ok {
		conn = front.Conn
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		tcp.SetLinger(0)
	}
	conn.Close()
}
