// One connection to a cell, between the socket and http.Transport: how long the cell may take, and whether a failure may only
// mean that the cell had closed an idle connection. What the bytes of a response may be is in `cell_fence.go`.

package main

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

type cellPhase int

const (
	// No request is under way. What the cell sends now is the response to none.
	cellIdle cellPhase = iota
	// A request has been given to this connection, and nothing of it has been written.
	cellTaken
	// Its response's head is to come.
	cellAwaitsHead
	cellInBody
)

// CellConn is one connection to a cell. Transport reads from it in one goroutine at a time, and writes in another one.
type CellConn struct {
	net.Conn
	limits UpstreamLimits
	// `FRONT=off` takes the fence out.
	isFenced bool

	mu      sync.Mutex
	phase   cellPhase
	attempt *Attempt
	// The request is whole: the time for the response has begun.
	isSent bool
	// A response has come over this connection before; something has come since the present request went out.
	isUsed, isHeard bool

	fence CellFence
}

// #region cell-connection

// OnRequest begins an attempt on this connection. False: the cell has closed it, or has sent what nobody asked for.
func (c *CellConn) OnRequest(attempt *Attempt) bool {
	isStale := c.isStale()
	c.mu.Lock()
	defer c.mu.Unlock()
	if isStale || c.fence.hasSurplus {
		c.Conn.Close()
		return false
	}
	// Of the response before.
	c.Conn.SetReadDeadline(time.Time{})
	c.attempt, c.phase = attempt, cellTaken
	c.isSent, c.isHeard = false, false
	c.fence.OnRequest(attempt.isHead)
	return true
}

// OnRequestSent: the request is whole, but for what Transport still buffers.
func (c *CellConn) OnRequestSent(attempt *Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attempt == attempt {
		c.isSent = true
		c.startHeadTimer()
	}
}

// OnHead: Transport has the head of the final response.
func (c *CellConn) OnHead(attempt *Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isUsed = true
	// By now, the connection may carry another request.
	if c.attempt == attempt && c.phase == cellAwaitsHead {
		c.phase = cellInBody
		c.Conn.SetReadDeadline(time.Time{})
	}
}

// MayBeStale tells whether the cell may have closed this connection before it read the attempt's request.
func (c *CellConn) MayBeStale() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isUsed && !c.isHeard
}

// HasBody tells whether some of the response's body came along with its head.
func (c *CellConn) HasBody() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fence.hasBody
}

// Arrived is how many bytes of a chunked body Transport can read without waiting, when it has read so many; or unknownSize.
func (c *CellConn) Arrived(alreadyRead int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isFenced || c.fence.body.framing != chunkedBody {
		return unknownSize
	}
	return c.fence.body.data - alreadyRead
}

// HasEnded tells whether a chunked body has come to its end with so many bytes, so that there is nothing to wait for.
func (c *CellConn) HasEnded(bytes int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isFenced && c.fence.isEnded && c.fence.body.data == bytes
}

// isStale looks at the socket without taking anything: an end, or bytes that nobody asked for. Transport's own reader
// learns of them too, but on a busy machine it may come too late.
func (c *CellConn) isStale() bool {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	var peek [1]byte
	isStale := true
	raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), peek[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		isStale = err != syscall.EAGAIN
	})
	return isStale
}

// #endregion cell-connection

// #region cell-write

// A stalled write is looked at this often within its limit. So a process that was paused has missed one look, and blames nobody.
const stalledLooks = 4

// Write gives up when the cell takes nothing for too long.
func (c *CellConn) Write(p []byte) (written int, err error) {
	c.mu.Lock()
	if c.phase == cellTaken {
		c.phase = cellAwaitsHead
	}
	attempt := c.attempt
	c.mu.Unlock()
	for looks := 0; ; {
		c.Conn.SetWriteDeadline(time.Now().Add(c.limits.Stalled / stalledLooks))
		var n int
		n, err = c.Conn.Write(p[written:])
		written += n
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if looks++; n > 0 {
			looks = 0
		}
		if looks == stalledLooks {
			attempt.Cancel(errUploadStalled)
			return written, errUploadStalled
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.startHeadTimer()
	return written, err
}

// startHeadTimer begins the response's time anew whenever more of the request has gone out.
func (c *CellConn) startHeadTimer() {
	if c.isSent && c.phase == cellAwaitsHead && c.limits.Head > 0 {
		c.Conn.SetReadDeadline(time.Now().Add(c.limits.Head))
	}
}

// #endregion cell-write

// #region cell-read

func (c *CellConn) Read(p []byte) (int, error) {
	for {
		c.mu.Lock()
		if len(c.fence.out) > 0 {
			n := copy(p, c.fence.out)
			c.fence.out = c.fence.out[n:]
			err := c.fence.surplusError()
			c.mu.Unlock()
			return n, err
		}
		if c.phase == cellInBody && c.limits.BodyIdle > 0 {
			c.Conn.SetReadDeadline(time.Now().Add(c.limits.BodyIdle))
		}
		c.mu.Unlock()

		n, err := c.readSocket(p)
		c.mu.Lock()
		if n > 0 {
			c.isHeard = true
			if c.isFenced {
				n, err = c.takeFenced(p[:n])
			}
		}
		attempt, phase, isHeard := c.attempt, c.phase, c.isHeard
		c.mu.Unlock()
		// Transport would take such an error for a stale connection, and send the request again.
		if err != nil && phase == cellAwaitsHead && (isHeard || errors.Is(err, errHeadTimeout)) {
			attempt.Cancel(err)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// readSocket reads, and looks once more when time is up: what came while this process stood still is read before it is
// missed.
func (c *CellConn) readSocket(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	c.Conn.SetReadDeadline(time.Now().Add(grace))
	n, err = c.Conn.Read(p)
	// If that was not all, the rest is late.
	c.Conn.SetReadDeadline(time.Now().Add(time.Second))
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = c.timeoutError()
	}
	return n, err
}

func (c *CellConn) timeoutError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == cellInBody {
		return errBodyTimeout
	}
	return errHeadTimeout
}

// #endregion cell-read
