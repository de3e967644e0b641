package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// follow takes a chunked body in pieces of this size.
func follow(text string, piece int) (taken int, ended bool, fault ErrorCode, data int64) {
	body := BodyReader{framing: chunkedBody}
	for taken < len(text) && !ended && fault == "" {
		var n int
		n, ended, fault = body.Take([]byte(text[taken:min(len(text), taken+piece)]))
		taken += n
	}
	return taken, ended, fault, body.data
}

func TestBodyReaderFollowsChunks(t *testing.T) {
	for _, each := range []struct {
		title, text string
		fault       ErrorCode
		data        int64
	}{
		{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "", 5},
		{"no chunk", "0\r\n\r\n", "", 0},
		{"zeros and capitals", "000A\r\nhellohello\r\n00\r\n\r\n", "", 10},
		{"extensions", "5;a=\"b;c\"\r\nhello\r\n0;d\r\n\r\n", "", 5},
		{"trailers", "0\r\nX-Check: passed\r\nX-B:\r\n\r\n", "", 0},
		{"a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a signed size", "+5\r\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"an empty size", "\r\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a space before the size", " 5\r\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a size beyond 128 bits", strings.Repeat("f", 33) + "\r\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a size of many zeros", strings.Repeat("0", 33) + "5\r\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a chunk that is longer than its size", "3\r\nhello\r\n0\r\n\r\n", "malformed-request", 3},
		{"no CRLF behind the data", "5\r\nhello0\r\n\r\n", "malformed-request", 5},
		{"a bare LF behind the size", "5\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a bare LF behind the data", "5\r\nhello\n0\r\n\r\n", "malformed-request", 5},
		{"a bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", "malformed-request", 0},
		{"a long extension", "5;" + strings.Repeat("x", 65_536) + "\r\nhello\r\n0\r\n\r\n", "content-too-large", 0},
		{"a request in the place of trailers", "0\r\nGET / HTTP/1.1\r\n\r\n", "malformed-request", 0},
		{"a NUL in a trailer", "0\r\nX-T: \x00\r\n\r\n", "malformed-request", 0},
		{"a trailer without a colon", "0\r\nX-T\r\n\r\n", "malformed-request", 0},
		{"a trailer with a bare LF", "0\r\nX-T: 1\n\r\n", "malformed-request", 0},
		{"a folded trailer", "0\r\nX-T: 1\r\n 2\r\n\r\n", "malformed-request", 0},
		{"long trailers", "0\r\n" + strings.Repeat("X-T: 1\r\n", 10_000) + "\r\n", "header-fields-too-large", 0},
	} {
		t.Run(each.title, func(t *testing.T) {
			for _, piece := range []int{1, 3, len(each.text)} {
				taken, ended, fault, data := follow(each.text+"GET", piece)
				if fault != each.fault || ended != (fault == "") || data != each.data {
					t.Errorf("in pieces of %d: %q, ended %v, %d bytes", piece, fault, ended, data)
				}
				if ended && taken != len(each.text) {
					t.Errorf("in pieces of %d: took %d of %d bytes", piece, taken, len(each.text))
				}
			}
		})
	}
}

// What the reader passes, net/http's own reader of chunks reads to the same end, and to the same bytes.
func FuzzBodyReader(f *testing.F) {
	for _, text := range []string{"5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "1\r\n\r\n\r\n0\r\n\r\nGET / "} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		taken, ended, fault, data := follow(string(text), len(text)+1)
		slowTaken, slowEnded, slowFault, slowData := follow(string(text), 1)
		if taken != slowTaken || ended != slowEnded || fault != slowFault || data != slowData {
			t.Fatalf("at once %d %v %q, byte by byte %d %v %q: %q", taken, ended, fault, slowTaken, slowEnded, slowFault, text)
		}
		if !ended {
			return
		}
		rest := bufio.NewReader(bytes.NewReader(text[:taken]))
		read, err := io.ReadAll(httputil.NewChunkedReader(rest))
		if err != nil || int64(len(read)) != data {
			t.Fatalf("net/http reads %d bytes and %v, the reader %d: %q", len(read), err, data, text)
		}
	})
}
