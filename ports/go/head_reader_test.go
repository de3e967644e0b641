package main

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

const goodFields = "Host: cells.test\r\nX-Routing-Key: acme\r\n"

// judge reads a head byte by byte, and again all at once: both must come to the same end.
func judge(t *testing.T, text string, isResponse bool) (int, ErrorCode, HeadReader) {
	t.Helper()
	slow := HeadReader{isResponse: isResponse}
	var end int
	var fault ErrorCode
	for n := 1; n <= len(text) && end == 0 && fault == ""; n++ {
		end, fault = slow.Read([]byte(text[:n]))
	}
	fast := HeadReader{isResponse: isResponse}
	fastEnd, fastFault := fast.Read([]byte(text))
	if fastEnd != end || fastFault != fault || fast.Body() != slow.Body() {
		t.Fatalf("byte by byte %d %q, at once %d %q: %q", end, fault, fastEnd, fastFault, text)
	}
	return end, fault, fast
}

func TestHeadReaderRefuses(t *testing.T) {
	request := func(lines ...string) string {
		return "POST / HTTP/1.1\r\n" + goodFields + strings.Join(append(lines, "", ""), "\r\n")
	}
	for _, each := range []struct {
		title, text string
		fault       ErrorCode
	}{
		{"nothing wrong", request(), ""},
		{"an empty line in front", "\r\n" + request(), ""},
		{"length and coding", request("Content-Length: 6", "Transfer-Encoding: chunked"), "malformed-request"},
		{"two lengths", request("Content-Length: 5", "Content-Length: 5"), "malformed-request"},
		{"a list of lengths", request("Content-Length: 5, 5"), "malformed-request"},
		{"a signed length", request("Content-Length: +5"), "malformed-request"},
		{"a hexadecimal length", request("Content-Length: 0x5"), "malformed-request"},
		{"no length in the field", request("Content-Length:"), "malformed-request"},
		{"a length beyond 64 bits", request("Content-Length: 99999999999999999999999"), "malformed-request"},
		{"another coding", request("Transfer-Encoding: gzip, chunked"), "transfer-coding-not-supported"},
		{"a coding in quotes", request(`Transfer-Encoding: "chunked"`), "transfer-coding-not-supported"},
		{"a coding with a vertical tab", request("Transfer-Encoding: chunked\x0b"), "malformed-request"},
		{"a coding twice", request("Transfer-Encoding: chunked", "transfer-encoding: chunked"), "transfer-coding-not-supported"},
		{"a space before the colon", request("X-A : 1"), "malformed-request"},
		{"a folded line", request("X-A: 1", " 2"), "malformed-request"},
		{"a line without a colon", request("X-A"), "malformed-request"},
		{"a field without a name", request(": 1"), "malformed-request"},
		{"a NUL in a value", request("X-A: 1\x002"), "malformed-request"},
		{"a bare CR in a value", request("X-A: 1\rX-B: 2"), "malformed-request"},
		{"a bare LF between fields", request("X-A: 1\nX-B: 2"), "malformed-request"},
		{"bare LFs only", "GET / HTTP/1.1\nHost: a\n\n", "malformed-request"},
		{"two hosts", request("Host: b"), "ambiguous-host"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "ambiguous-host"},
		{"a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "ambiguous-host"},
		{"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n", ""},
		{"HTTP/1.0 with a coding", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed-request"},
		{"HTTP/0.9", "GET /\r\n\r\n", "malformed-request"},
		{"HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", "version-not-supported"},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version-not-supported"},
		{"a version in small letters", "GET / http/1.1\r\n\r\n", "malformed-request"},
		{"two spaces", "GET  / HTTP/1.1\r\n\r\n", "malformed-request"},
		{"a tab after the method", "GET\t/ HTTP/1.1\r\n\r\n", "malformed-request"},
		{"a method that is no token", "G(T / HTTP/1.1\r\n\r\n", "malformed-request"},
		{"a target that is no path", "GET x HTTP/1.1\r\n\r\n", "malformed-request"},
		{"a target in UTF-8", "GET /\xc3\xbc HTTP/1.1\r\n\r\n", "malformed-request"},
		{"a TLS hello", "\x16\x03\x01\x02 hello\r\n", "malformed-request"},
		{"a head that is too long", request("X-Long: " + strings.Repeat("x", maxHeadBytes)), "header-fields-too-large"},
		{"too many fields", request(strings.Repeat("a: b\r\n", 20_000)), "header-fields-too-large"},
	} {
		t.Run(each.title, func(t *testing.T) {
			end, fault, _ := judge(t, each.text, false)
			if fault != each.fault || (end == 0) != (each.fault != "") {
				t.Errorf("%q, end %d; expected %q", fault, end, each.fault)
			}
		})
	}
}

func TestHeadReaderFramesResponses(t *testing.T) {
	for _, each := range []struct {
		title, text string
		toHead      bool
		framing     bodyFraming
		fault       ErrorCode
	}{
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, sizedBody, ""},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", false, sizedBody, ""},
		{"a length of 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, noBody, ""},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false, chunkedBody, ""},
		{"until the end", "HTTP/1.0 200 OK\r\n\r\n", false, bodyUntilClose, ""},
		{"to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, noBody, ""},
		{"204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, noBody, ""},
		{"304", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", false, noBody, ""},
		{"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", false, noBody, "malformed-request"},
		{"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", false, noBody, "malformed-request"},
		{"no status", "HTTP/1.1 OK\r\n\r\n", false, noBody, "malformed-request"},
		{"SSH", "SSH-2.0-OpenSSH_9.9\r\n\r\n", false, noBody, "malformed-request"},
		{"length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false, noBody, "malformed-request"},
	} {
		t.Run(each.title, func(t *testing.T) {
			head := HeadReader{isResponse: true, toHead: each.toHead}
			end, fault := head.Read([]byte(each.text))
			if fault != each.fault || fault == "" && (end != len(each.text) || head.Body().framing != each.framing) {
				t.Errorf("%q, end %d, framing %d", fault, end, head.Body().framing)
			}
		})
	}
}

// What the reader takes, net/http takes too, and frames it alike: the reader may refuse more, never read another message.
func FuzzHeadReader(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("\r\nGET /x?y HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Add([]byte("GET http://a/ HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 2\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		end, fault, head := judge(t, string(text), false)
		if end == 0 || fault != "" {
			return
		}
		// As the front passes it on.
		passed := append([]byte{}, text[head.lineFrom:head.targetFrom]...)
		passed = append(append(passed, '/'), text[head.targetTo:end]...)
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(passed)))
		if err != nil {
			t.Fatalf("net/http refuses what the reader takes: %v: %q", err, text)
		}
		body := head.Body()
		length := map[bodyFraming]int64{noBody: 0, sizedBody: body.left, chunkedBody: -1}[body.framing]
		if request.ContentLength != length || (len(request.TransferEncoding) > 0) != (body.framing == chunkedBody) {
			t.Fatalf("net/http finds a length of %d, the reader %d: %q", request.ContentLength, length, text)
		}
	})
}
