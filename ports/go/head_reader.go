// Reads the head of an HTTP/1 message line by line, strictly: a head that two readers could split into different fields is
// refused at its first doubtful byte. It keeps of the fields only what the framing rules need; net/http reads the rest.

package main

import (
	"bytes"
	"strings"
)

// A larger head is answered with 431, or counts as a broken cell.
const maxHeadBytes = 16 * 1024

// HeadReader reads one head from a buffer that grows at its end. Its zero value reads the head of a request.
type HeadReader struct {
	// Of a response, and whether the request that it answers was a HEAD.
	isResponse, toHead bool

	// End of the last whole line.
	read int
	// The start line has been read; empty lines in front of it are skipped.
	started bool

	// Where the start line is, and its target; of a request.
	lineFrom, targetFrom, targetTo int
	http10                         bool
	status                         int // Of a response.

	hosts, codings, lengths int
	isChunked               bool
	length                  int64
	// Expect fields: their lines, and their values.
	expectLines  [][2]int
	expectations []string
}

// #region read-head

// Read goes on where it stopped. It returns the end of the head with its empty line, or 0 while bytes are missing, and the
// fault that was found, or an empty code.
func (h *HeadReader) Read(buffer []byte) (end int, fault ErrorCode) {
	for {
		length := bytes.IndexByte(buffer[h.read:], '\n')
		if length < 0 {
			if len(buffer) > maxHeadBytes {
				return 0, "header-fields-too-large"
			}
			return 0, ""
		}
		from, to := h.read, h.read+length-1
		h.read = to + 2
		if h.read > maxHeadBytes {
			return 0, "header-fields-too-large"
		}
		// A bare LF ends a line for one reader and is part of a value for another one.
		if to < from || buffer[to] != '\r' {
			return 0, "malformed-request"
		}
		line := buffer[from:to]
		switch {
		case !h.started && len(line) == 0 && !h.isResponse:
			// https://www.rfc-editor.org/rfc/rfc9112#section-2.2
		case !h.started:
			h.started = true
			fault = h.readStartLine(line, from)
		case len(line) == 0:
			if fault = h.framingFault(); fault == "" {
				return h.read, ""
			}
		default:
			fault = h.readField(line, from)
		}
		if fault != "" {
			return 0, fault
		}
	}
}

// #endregion read-head

// readStartLine wants single spaces: a reader that splits at other white space finds another target.
func (h *HeadReader) readStartLine(line []byte, from int) ErrorCode {
	if h.isResponse {
		return h.readStatusLine(line)
	}
	method, rest, hasTarget := bytes.Cut(line, []byte(" "))
	target, version, hasVersion := bytes.Cut(rest, []byte(" "))
	if !hasTarget || !hasVersion || !isToken(method) || len(target) == 0 {
		return "malformed-request"
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f {
			return "malformed-request"
		}
	}
	isPath := target[0] == '/' || string(target) == "*" || bytes.Contains(target, []byte("://"))
	if !isPath && string(method) != "CONNECT" {
		return "malformed-request"
	}
	h.lineFrom, h.targetFrom = from, from+len(method)+1
	h.targetTo = h.targetFrom + len(target)
	return h.readVersion(version)
}

func (h *HeadReader) readStatusLine(line []byte) ErrorCode {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	status, reason, _ := bytes.Cut(rest, []byte(" "))
	if len(status) != 3 || !isDigits(string(status), 3) || status[0] == '0' || !isFieldValue(reason) {
		return "malformed-request"
	}
	h.status = int(status[0]-'0')*100 + int(status[1]-'0')*10 + int(status[2]-'0')
	return h.readVersion(version)
}

func (h *HeadReader) readVersion(version []byte) ErrorCode {
	switch {
	case string(version) == "HTTP/1.1":
	case string(version) == "HTTP/1.0":
		h.http10 = true
	case len(version) == 8 && string(version[:5]) == "HTTP/" && version[6] == '.':
		return "version-not-supported"
	default:
		return "malformed-request"
	}
	return ""
}

// #region read-field

// readField reads one field line. No line may begin with white space (obs-fold), and none may stand before the colon.
func (h *HeadReader) readField(line []byte, from int) ErrorCode {
	name, value, hasColon := bytes.Cut(line, []byte(":"))
	if !hasColon || !isToken(name) || !isFieldValue(value) {
		return "malformed-request"
	}
	value = bytes.Trim(value, " \t")
	switch len(name) {
	case len("host"):
		if isName(name, "host") {
			h.hosts++
			if !isHost(string(value)) {
				return h.ambiguousHost()
			}
		}
	case len("expect"):
		if isName(name, "expect") {
			h.expectLines = append(h.expectLines, [2]int{from, h.read})
			h.expectations = append(h.expectations, string(value))
		}
	case len("content-length"):
		if isName(name, "content-length") {
			h.lengths++
			if !isDigits(string(value), 15) {
				return "malformed-request"
			}
			for h.length = 0; len(value) > 0; value = value[1:] {
				h.length = h.length*10 + int64(value[0]-'0')
			}
		}
	case len("transfer-encoding"):
		if isName(name, "transfer-encoding") {
			h.codings++
			h.isChunked = strings.EqualFold(string(value), "chunked")
		}
	}
	return ""
}

// #endregion read-field

// #region framing-fault

// framingFault judges the whole head: where does the message end, and is there only one answer to that?
// https://www.rfc-editor.org/rfc/rfc9112#section-6.3
func (h *HeadReader) framingFault() ErrorCode {
	switch {
	case h.lengths > 1, h.lengths > 0 && h.codings > 0:
		return "malformed-request"
	case h.codings > 0 && h.http10:
		// It has passed something that did not understand the coding. https://www.rfc-editor.org/rfc/rfc9112#section-6.1
		return "malformed-request"
	case h.codings > 1, h.codings == 1 && !h.isChunked:
		return "transfer-coding-not-supported"
	case h.isResponse:
		return ""
	case h.hosts > 1, h.hosts == 0 && !h.http10:
		return "ambiguous-host"
	}
	return ""
}

// Body says how the body behind this head is framed.
func (h *HeadReader) Body() BodyReader {
	bodyless := h.isResponse && (h.toHead || h.status < 200 || h.status == 204 || h.status == 304)
	switch {
	case bodyless:
		return BodyReader{}
	case h.codings > 0:
		return BodyReader{framing: chunkedBody}
	case h.lengths > 0 && h.length > 0:
		return BodyReader{framing: sizedBody, left: h.length}
	case h.lengths == 0 && h.isResponse:
		return BodyReader{framing: bodyUntilClose}
	}
	return BodyReader{}
}

// #endregion framing-fault

// ambiguousHost: a cell may send any Host, which means nothing in a response.
func (h *HeadReader) ambiguousHost() ErrorCode {
	if h.isResponse {
		return ""
	}
	return "ambiguous-host"
}

func isName(name []byte, lowerName string) bool {
	return strings.EqualFold(string(name), lowerName)
}

// isToken: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
func isToken(text []byte) bool {
	for _, c := range text {
		if !isTokenByte(c) {
			return false
		}
	}
	return len(text) > 0
}

func isTokenByte(c byte) bool {
	return isAlphanumeric(c) || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isFieldValue: no control character but the tab. https://www.rfc-editor.org/rfc/rfc9110#section-5.5
func isFieldValue(text []byte) bool {
	for _, c := range text {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
