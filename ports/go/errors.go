// The one place where a failure becomes a response: code → status, title and the sentence that a client may read. Nothing
// from an error value reaches a client: an address or a stack would tell a stranger what stands behind the router.

package main

import (
	"encoding/json"
	"errors"
	"net"
	"syscall"
)

// ErrorCode names a failure. It is stable, so that a client may branch on it.
type ErrorCode string

// Problem is what an error response says.
type Problem struct {
	Status        int
	Title, Detail string
}

// #region problems

var problems = map[ErrorCode]Problem{
	"malformed-request":             {400, "Bad Request", "The request is not valid HTTP/1.1."},
	"ambiguous-host":                {400, "Bad Request", "Send exactly one Host field."},
	"unsupported-target":            {400, "Bad Request", "Send a path that starts with /, or an absolute http URL."},
	"missing-routing-key":           {400, "Bad Request", "Send an X-Routing-Key field that names the tenant."},
	"ambiguous-routing-key":         {400, "Bad Request", "Send one X-Routing-Key; several with different values came."},
	"routing-key-too-long":          {400, "Bad Request", "Send an X-Routing-Key of at most 256 bytes."},
	"method-not-allowed":            {405, "Method Not Allowed", "TRACE is not served here."},
	"request-timeout":               {408, "Request Timeout", "The request did not arrive in time."},
	"content-too-large":             {413, "Content Too Large", "The request's chunk extensions are too large."},
	"expectation-failed":            {417, "Expectation Failed", "The only expectation served here is 100-continue."},
	"rate-limited":                  {429, "Too Many Requests", "Send fewer requests for this routing key or placement."},
	"header-fields-too-large":       {431, "Request Header Fields Too Large", "Send a smaller request head."},
	"router-fault":                  {500, "Internal Server Error", "The router failed."},
	"connect-not-supported":         {501, "Not Implemented", "CONNECT is not served here."},
	"transfer-coding-not-supported": {501, "Not Implemented", "The only transfer coding served here is chunked."},
	"target-not-supported":          {501, "Not Implemented", "The target * is not served here."},
	"version-not-supported":         {505, "HTTP Version Not Supported", "Send the request in HTTP/1.1 or HTTP/1.0."},
	"upstream-unreachable":          {502, "Bad Gateway", "No connection to the cell could be made."},
	"upstream-broken":               {502, "Bad Gateway", "The cell ended the connection or broke the protocol."},
	"no-routing-table":              {503, "Service Unavailable", "The router has no routing table yet."},
	"router-exhausted":              {503, "Service Unavailable", "The router has no free sockets."},
	"overloaded":                    {503, "Service Unavailable", "The limit of requests in progress is reached."},
	"unhealthy":                     {503, "Service Unavailable", "The cell does not pass its health checks."},
	"circuit-open":                  {503, "Service Unavailable", "The cell has failed too often recently."},
	"connect-timeout":               {504, "Gateway Timeout", "No connection to the cell could be made in time."},
	"head-timeout":                  {504, "Gateway Timeout", "The cell did not respond in time."},
	"body-timeout":                  {504, "Gateway Timeout", "The cell stopped sending in the middle of its response."},
}

// #endregion problems

// problemBody writes the body of an error response: https://www.rfc-editor.org/rfc/rfc9457
func problemBody(code ErrorCode, requestID string) []byte {
	problem := problems[code]
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Title     string    `json:"title"`
		Status    int       `json:"status"`
		Detail    string    `json:"detail"`
		Code      ErrorCode `json:"code"`
		RequestID string    `json:"requestId"`
	}{"urn:cell-routing:problem:" + string(code), problem.Title, problem.Status, problem.Detail, code, requestID})
	if err != nil {
		panic(err) // Strings and a number: there is nothing in it that JSON cannot say.
	}
	return append(body, '\n')
}

// codedError is a failure that this router found itself, and so can name.
type codedError struct {
	code ErrorCode
	// For the log.
	cause string
}

func (e *codedError) Error() string { return string(e.code) + ": " + e.cause }

var (
	errHeadTimeout    = &codedError{"head-timeout", "no response in time"}
	errUploadStalled  = &codedError{"head-timeout", "the cell took nothing of the upload"}
	errBodyTimeout    = &codedError{"body-timeout", "no further piece of the response in time"}
	errInterimTooLong = &codedError{"upstream-broken", "interim responses too large"}
	errStaleTooOften  = &codedError{"upstream-broken", "kept connections broke"}
	errSwitched       = &codedError{"upstream-broken", "a protocol switch that nobody asked for"}
)

// #region upstream-errors

// knownErrno names the system's errors for the log, and says what they mean where a connection to a cell is made.
var knownErrno = map[syscall.Errno]struct {
	name string
	code ErrorCode
}{
	syscall.ECONNREFUSED: {"ECONNREFUSED", "upstream-unreachable"},
	syscall.EHOSTUNREACH: {"EHOSTUNREACH", "upstream-unreachable"},
	syscall.ENETUNREACH:  {"ENETUNREACH", "upstream-unreachable"},
	syscall.ECONNRESET:   {"ECONNRESET", "upstream-broken"},
	syscall.EPIPE:        {"EPIPE", "upstream-broken"},
	syscall.ETIMEDOUT:    {"ETIMEDOUT", "connect-timeout"},
	// What this machine has run out of: descriptors, memory, local ports. No cell is to blame.
	syscall.EMFILE:        {"EMFILE", "router-exhausted"},
	syscall.ENFILE:        {"ENFILE", "router-exhausted"},
	syscall.ENOBUFS:       {"ENOBUFS", "router-exhausted"},
	syscall.ENOMEM:        {"ENOMEM", "router-exhausted"},
	syscall.EAGAIN:        {"EAGAIN", "router-exhausted"},
	syscall.EADDRNOTAVAIL: {"EADDRNOTAVAIL", "router-exhausted"},
}

// upstreamErrorCode names what went wrong between the router and a cell. An error that nobody foresaw is a broken upstream.
func upstreamErrorCode(err error) ErrorCode {
	var coded *codedError
	if errors.As(err, &coded) {
		return coded.code
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if known, ok := knownErrno[errno]; ok {
			return known.code
		}
	}
	if isDial(err) {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return "connect-timeout"
		}
		return "upstream-unreachable"
	}
	return "upstream-broken"
}

// isDial tells whether no connection came about, so that nothing can have been sent.
func isDial(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "dial"
}

// causeOf is the machine-readable cause of err for the log, such as `ECONNREFUSED`, or an empty string.
func causeOf(err error) string {
	var coded *codedError
	if errors.As(err, &coded) {
		return coded.cause
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return knownErrno[errno].name
	}
	return ""
}

// #endregion upstream-errors

// isClientFailure tells whether the client, not the cell, broke the exchange.
func isClientFailure(code ErrorCode) bool { return problems[code].Status < 500 }

// isCellFailure tells whether the cell broke the exchange: neither the client nor this router, which may have failed or had
// no free sockets.
func isCellFailure(code ErrorCode) bool {
	return !isClientFailure(code) && code != "router-exhausted" && code != "router-fault"
}
