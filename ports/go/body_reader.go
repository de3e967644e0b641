// Follows a message's body byte by byte to its end, strictly. It changes nothing and keeps nothing: it says how many of the
// bytes at hand belong to the body and are as they should be.

package main

import "math"

type bodyFraming int

const (
	noBody bodyFraming = iota
	sizedBody
	chunkedBody
	// Of a response: it ends with the connection.
	bodyUntilClose
)

// BodyReader follows one body. Its zero value is that of a message without one.
type BodyReader struct {
	framing bodyFraming
	// Bytes to come: of a sized body, or of the present chunk.
	left  int64
	state chunkState
	// Digits of the present chunk's size, bytes of all extensions and trailers.
	digits     int
	extraBytes int
	// Of the present trailer line.
	hasColon bool
	// Bytes of the body itself so far, without its framing.
	data int64
}

// #region body-reader

// Limit is how many bytes may be read before the end of the body must be looked for: all of a sized body, and otherwise
// as many as there is room for.
func (b *BodyReader) Limit(room int) int {
	if b.framing == sizedBody {
		return int(min(int64(room), b.left))
	}
	return room
}

// Take looks at the next bytes. It returns how many of them belong to the body and are good, whether the body ends with
// them, and the fault in the byte behind them, or an empty code.
func (b *BodyReader) Take(bytes []byte) (taken int, ended bool, fault ErrorCode) {
	switch b.framing {
	case bodyUntilClose:
		return len(bytes), false, ""
	case sizedBody:
		taken = b.Limit(len(bytes))
		b.left -= int64(taken)
		b.data += int64(taken)
		return taken, b.left == 0, ""
	case chunkedBody:
		return b.takeChunked(bytes)
	}
	return 0, true, ""
}

func (b *BodyReader) takeChunked(bytes []byte) (taken int, ended bool, fault ErrorCode) {
	for at := 0; at < len(bytes); at++ {
		if b.state == inData {
			piece := int(min(int64(len(bytes)-at), b.left))
			b.left -= int64(piece)
			b.data += int64(piece)
			if b.left == 0 {
				b.state = afterData
			}
			at += piece - 1
			continue
		}
		if fault = b.step(bytes[at]); fault != "" {
			return at, false, fault
		}
		if b.state == bodyEnded {
			return at + 1, true, ""
		}
	}
	return len(bytes), false, ""
}

// #endregion body-reader

// #region chunks

type chunkState int

const (
	inSize chunkState = iota
	inExtension
	afterSize // Its CR has come.
	inData
	afterData
	afterDataCR
	atTrailer // At the start of a trailer line, or of the empty one.
	inTrailer
	afterTrailer
	atEnd // The CR of the last, empty line has come.
	bodyEnded
)

// step takes one byte of the framing: https://www.rfc-editor.org/rfc/rfc9112#section-7.1
func (b *BodyReader) step(c byte) ErrorCode {
	switch b.state {
	case inSize:
		return b.inSize(c)
	case inExtension:
		b.extraBytes++
		switch {
		case c == '\r':
			b.state = afterSize
		case c < ' ' && c != '\t' || c == 0x7f:
			return "malformed-request"
		case b.extraBytes > maxHeadBytes:
			return "content-too-large"
		}
		return ""
	case afterSize:
		b.digits = 0
		if b.left == 0 {
			return b.expect(c, '\n', atTrailer)
		}
		return b.expect(c, '\n', inData)
	case afterData:
		return b.expect(c, '\r', afterDataCR)
	case afterDataCR:
		return b.expect(c, '\n', inSize)
	case atTrailer, inTrailer:
		return b.inTrailer(c)
	case afterTrailer:
		return b.expect(c, '\n', atTrailer)
	default:
		return b.expect(c, '\n', bodyEnded)
	}
}

func (b *BodyReader) expect(c, expected byte, next chunkState) ErrorCode {
	if c != expected {
		return "malformed-request"
	}
	b.state = next
	return ""
}

func (b *BodyReader) inSize(c byte) ErrorCode {
	if digit, ok := hexDigit(c); ok {
		b.digits++
		// Beyond 64 bits a size would wrap around.
		if b.left > math.MaxInt64>>4 || b.digits > 32 {
			return "malformed-request"
		}
		b.left = b.left<<4 | digit
		return ""
	}
	switch {
	case b.digits == 0:
		return "malformed-request"
	case c == '\r':
		b.state = afterSize
	case c == ';':
		b.state = inExtension
	default:
		return "malformed-request"
	}
	return ""
}

// inTrailer reads trailer fields as strictly as those of a head. Nobody gets them; they must only not be a request.
func (b *BodyReader) inTrailer(c byte) ErrorCode {
	b.extraBytes++
	switch {
	case b.extraBytes > maxHeadBytes:
		return "header-fields-too-large"
	case b.state == atTrailer && c == '\r':
		b.state = atEnd
	case b.state == atTrailer:
		b.state, b.hasColon = inTrailer, false
		if !isTokenByte(c) {
			return "malformed-request"
		}
	case c == '\r' && b.hasColon:
		b.state = afterTrailer
	case c == ':' && !b.hasColon:
		b.hasColon = true
	case !b.hasColon && !isTokenByte(c), c < ' ' && c != '\t', c == 0x7f:
		return "malformed-request"
	}
	return ""
}

func hexDigit(c byte) (int64, bool) {
	switch {
	case '0' <= c && c <= '9':
		return int64(c - '0'), true
	case 'a' <= c && c <= 'f':
		return int64(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return int64(c-'A') + 10, true
	}
	return 0, false
}

// #endregion chunks
