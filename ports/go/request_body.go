// The client's body on its way to a cell, as a body of its own for each attempt. Transport closes the body that it was given
// when an attempt fails, and the client's own must not be closed while another attempt, or an error response, may follow.

package main

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
)

// RequestBody is the client's body, of which all attempts together can read each byte once.
type RequestBody struct {
	body io.ReadCloser
	// Bytes that went to a cell.
	bytesIn atomic.Int64
	isEnded atomic.Bool
	// Of a chunked body, how much of it net/http has been given; nil where that is not known.
	arrived *atomic.Int64
	// What the client broke in the middle of its body; nil if nothing.
	fault atomic.Pointer[ClientFault]
}

// BytesIn counts the bytes that went to a cell. There may be no body.
func (b *RequestBody) BytesIn() int64 {
	if b == nil {
		return 0
	}
	return b.bytesIn.Load()
}

// Fault is what the client broke, or nil. There may be no body.
func (b *RequestBody) Fault() *ClientFault {
	if b == nil {
		return nil
	}
	return b.fault.Load()
}

// ClientFault says how a client broke the exchange.
type ClientFault struct {
	// It is gone, and nobody waits for a response.
	HasLeft bool
	Code    ErrorCode
}

// Attempt is the body for one attempt.
func (b *RequestBody) Attempt() io.ReadCloser { return &attemptBody{of: b} }

// IsUntouched tells whether all of it may still be sent.
func (b *RequestBody) IsUntouched() bool {
	return b.bytesIn.Load() == 0 && !b.isEnded.Load() && b.fault.Load() == nil
}

type attemptBody struct {
	of       *RequestBody
	isClosed atomic.Bool
}

// #region request-body

func (b *attemptBody) Read(p []byte) (n int, err error) {
	defer containFault(&err)
	if b.isClosed.Load() {
		return 0, os.ErrClosed
	}
	n, err = readArrived(b.of.body, p, func() int64 {
		if b.of.arrived == nil {
			return unknownSize
		}
		return b.of.arrived.Load() - b.of.bytesIn.Load()
	})
	b.of.bytesIn.Add(int64(n))
	switch {
	case err == io.EOF:
		b.of.isEnded.Store(true)
	case err != nil && !b.isClosed.Load():
		b.of.fault.CompareAndSwap(nil, clientFault(err))
	}
	return n, err
}

// Close lets go of the body, and leaves it to the server.
func (b *attemptBody) Close() error {
	b.isClosed.Store(true)
	return nil
}

func clientFault(err error) *ClientFault {
	var found errFault
	switch {
	case errors.As(err, &found):
		return &ClientFault{Code: found.code}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &ClientFault{Code: "request-timeout"}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &ClientFault{HasLeft: true}
	}
	return &ClientFault{Code: "malformed-request"}
}

// #endregion request-body

const unknownSize = -1

// readArrived reads what has arrived of a chunked body, and waits only where that is nothing. net/http's own reader of chunks
// fills the buffer that it is given before it returns, as long as the chunk has not ended: a piece of a chunk would wait for
// the rest of it. arrived: bytes that can be read without waiting, or unknownSize.
func readArrived(body io.Reader, p []byte, arrived func() int64) (n int, err error) {
	if arrived() == unknownSize || len(p) == 0 {
		return body.Read(p)
	}
	if arrived() == 0 {
		// The rest of what comes along with this byte is read below.
		if n, err = body.Read(p[:1]); n == 0 || err != nil {
			return n, err
		}
	}
	more := int(min(arrived()-int64(n), int64(len(p)-n)))
	if more <= 0 {
		return n, nil
	}
	m, err := body.Read(p[n : n+more])
	return n + m, err
}
