// Lets only the bytes of clear responses through to http.Transport, each as the response to its own request: Transport reads
// heads more generously than a client behind it may, and can take what a cell sends too much for the next response.

package main

import (
	"bytes"
	"io"
	"time"
)

// Interim responses (1xx) ahead of one final response: they are kept for a client that does not read.
const maxInterimBytes = 64 * 1024

// CellFence judges what one connection to a cell brings.
type CellFence struct {
	// Bytes of a head that is not whole yet, and those that Transport may have.
	raw, outBuffer bytes.Buffer
	out            []byte
	head           HeadReader
	body           BodyReader
	interimBytes   int
	// Some of the final response's body has come along with its head.
	hasBody bool
	// The response has ended; the cell has sent more than that.
	isEnded, hasSurplus bool
}

// OnRequest: the next bytes are the head of the response to another request.
func (f *CellFence) OnRequest(isHead bool) {
	f.isEnded, f.hasBody, f.interimBytes = false, false, 0
	f.head = HeadReader{isResponse: true, toHead: isHead}
}

// takeHeads puts every whole head into f.out, and what has come of the body behind the final one.
func (f *CellFence) takeHeads(read []byte) (isFinal bool, err error) {
	f.raw.Write(read)
	f.outBuffer.Reset()
	for !isFinal {
		end, fault := f.head.Read(f.raw.Bytes())
		isInterim := f.head.status/100 == 1
		switch {
		case fault != "":
			return false, &codedError{"upstream-broken", "unclear response"}
		case f.head.status == 101:
			return false, errSwitched
		case isInterim && f.interimBytes+max(end, f.raw.Len()) > maxInterimBytes:
			return false, errInterimTooLong
		case end == 0:
			f.out = f.outBuffer.Bytes()
			return false, nil
		}
		f.outBuffer.Write(f.raw.Next(end))
		if isInterim {
			f.interimBytes += end
			f.head = HeadReader{isResponse: true, toHead: f.head.toHead}
			continue
		}
		f.body = f.head.Body()
		isFinal = true
	}
	taken, err := f.takeBody(f.raw.Bytes())
	if err != nil && err != io.EOF {
		return false, err
	}
	f.hasBody = taken > 0
	f.outBuffer.Write(f.raw.Next(taken))
	f.raw.Reset()
	f.out = f.outBuffer.Bytes()
	return true, nil
}

// takeBody says how many bytes at the start of `read` are good ones of the body.
func (f *CellFence) takeBody(read []byte) (int, error) {
	taken, ended, fault := f.body.Take(read)
	if fault != "" {
		return taken, &codedError{"upstream-broken", "unclear response body"}
	}
	f.isEnded = ended
	f.hasSurplus = ended && taken < len(read)
	return taken, f.surplusError()
}

// surplusError tells Transport together with the last byte of a response that more has come. It takes that for the end of
// the connection, and never uses it again. Otherwise it would put the connection back into its pool, and another
// request could have it before Transport had looked at those bytes.
func (f *CellFence) surplusError() error {
	if f.hasSurplus && len(f.out) == 0 {
		return io.EOF
	}
	return nil
}

// takeFenced judges what has been read. It returns how many bytes at the start of `read` Transport may have now; what waits in
// the fence goes first.
func (c *CellConn) takeFenced(read []byte) (int, error) {
	switch c.phase {
	case cellAwaitsHead:
		isFinal, err := c.fence.takeHeads(read)
		if isFinal {
			c.Conn.SetReadDeadline(time.Time{})
			c.phase = cellInBody
		}
		if c.fence.isEnded {
			c.phase = cellIdle
		}
		return 0, err
	case cellInBody:
		taken, err := c.fence.takeBody(read)
		if c.fence.isEnded {
			c.phase = cellIdle
		}
		return taken, err
	default:
		// Taken for the response to the next request, every later client would get somebody else's.
		return 0, io.EOF
	}
}
