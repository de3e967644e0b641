// What must hold before a request may be routed: one host, a target that can be passed on, one routing key. Pure. How the
// request is framed has been settled before: by `front.go`, or without it by net/http.

package main

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// RequestHead holds the parts of a request that routing and forwarding need, checked.
type RequestHead struct {
	Method string
	// Path and query in origin form, byte by byte as they came.
	Path string
	// Host that the client asked for; empty for an HTTP/1.0 request without one.
	Host string
	// `1.1` or `1.0`.
	Version string
	// The key as text, for the look-up and the log.
	RoutingKey string
	// The key's bytes as they came, for the cell.
	RawRoutingKey string
	HasBody       bool
	// The client waits for `100 Continue` before it sends the body.
	ExpectsContinue bool
	// What is left of an OPTIONS request's Max-Forwards; -1 for no limit. At 0, nobody behind this router may see it.
	HopsLeft int
}

// #region read-request-head

// readRequestHead checks a request whose target came as `target`. The second result is the refusal, or empty.
func readRequestHead(r *http.Request, target string) (RequestHead, ErrorCode) {
	expectations := expectationsOf(r)
	head := RequestHead{
		Method: r.Method, Version: strings.TrimPrefix(r.Proto, "HTTP/"), HopsLeft: hopsLeft(r),
		HasBody: r.ContentLength != 0, ExpectsContinue: len(expectations) > 0,
	}
	if head.Version != "1.1" && head.Version != "1.0" {
		return head, "version-not-supported"
	}
	switch r.Method {
	case http.MethodTrace:
		return head, "method-not-allowed"
	case http.MethodConnect:
		return head, "connect-not-supported"
	}

	if slices.ContainsFunc(expectations, func(each string) bool { return each != "100-continue" }) {
		return head, "expectation-failed"
	}
	var refusal ErrorCode
	if head.Path, head.Host, refusal = readTarget(r, target); refusal != "" {
		return head, refusal
	}

	key, isOne := onlyValue(r.Header["X-Routing-Key"])
	switch {
	case !isOne:
		return head, "ambiguous-routing-key"
	case key == "":
		return head, "missing-routing-key"
	case len(key) > maxRoutingKeyBytes:
		return head, "routing-key-too-long"
	}
	head.RawRoutingKey = key
	// Bytes that are not UTF-8 become U+FFFD: the key is then one that no table lists.
	head.RoutingKey = strings.ToValidUTF8(key, "\uFFFD")
	return head, ""
}

// #endregion read-request-head

// expectationsOf lists what the client expects, in lower case. An HTTP/1.0 client cannot expect anything:
// https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
func expectationsOf(r *http.Request) []string {
	var expectations []string
	if !r.ProtoAtLeast(1, 1) {
		return nil
	}
	for _, value := range r.Header["Expect"] {
		for each := range strings.SplitSeq(value, ",") {
			if each = strings.ToLower(strings.TrimSpace(each)); each != "" {
				expectations = append(expectations, each)
			}
		}
	}
	return expectations
}

// hopsLeft says how many hops an OPTIONS may still go, this router included; -1 for no limit:
// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
func hopsLeft(r *http.Request) int {
	values := r.Header["Max-Forwards"]
	if r.Method != http.MethodOptions || len(values) != 1 || !isDigits(values[0], 9) {
		return -1
	}
	hops, _ := strconv.Atoi(values[0])
	return hops
}

// readTarget brings the target to origin form and finds the host that the client asked for. In absolute form the target's
// authority is that host, whatever the Host field says: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
func readTarget(r *http.Request, target string) (path, host string, refusal ErrorCode) {
	// In absolute form, net/http has put the target's authority in the place of the field.
	if !isHost(r.Host) {
		return "", "", "ambiguous-host"
	}
	// A client keeps the fragment to itself. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1
	if strings.Contains(target, "#") {
		return "", "", "unsupported-target"
	}
	if strings.HasPrefix(target, "/") {
		if _, ok := cellURL("", target); !ok {
			return "", "", "unsupported-target"
		}
		return target, r.Host, ""
	}
	if target == "*" {
		return "", "", "target-not-supported"
	}
	scheme, rest, _ := strings.Cut(target, "://")
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", "", "unsupported-target"
	}
	authority, path := rest, ""
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority, path = rest[:end], rest[end:]
	}
	switch {
	case authority == "" || !isHost(authority):
		return "", "", "unsupported-target"
	case path == "" && r.Method == http.MethodOptions:
		// Without a path, it asks about the server as a whole. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.4
		return "", "", "target-not-supported"
	case !strings.HasPrefix(path, "/"):
		path = "/" + path
	}
	if _, ok := cellURL("", path); !ok {
		return "", "", "unsupported-target"
	}
	return path, authority, ""
}

// cellURL is the URL that makes net/http send path to host byte by byte; false where there is none. An opaque URL is sent
// as it is, except that a path with two slashes in front would become an absolute target. Such a path has to pass
// through net/url, which escapes anew what it thinks must be escaped.
func cellURL(host, path string) (*url.URL, bool) {
	target := &url.URL{Scheme: "http", Host: host, Opaque: path}
	if !strings.HasPrefix(path, "//") {
		return target, true
	}
	rawPath, query, hasQuery := strings.Cut(path, "?")
	decoded, err := url.PathUnescape(rawPath)
	if err != nil {
		return nil, false
	}
	target.Opaque, target.Path, target.RawPath = "", decoded, rawPath
	target.RawQuery, target.ForceQuery = query, hasQuery
	return target, target.EscapedPath() == rawPath
}

// isHost tells host and port from anything else. No comma: a list of hosts is not a host.
// https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2
func isHost(host string) bool {
	for i := range len(host) {
		if !isAlphanumeric(host[i]) && !strings.ContainsRune("-._~%!$&'()*+;=:[]", rune(host[i])) {
			return false
		}
	}
	return true
}

// requestIDOf is the client's request id, where it brought exactly one that is safe to log and to pass on.
func requestIDOf(header http.Header) string {
	id, isOne := onlyValue(header["X-Request-Id"])
	if !isOne || len(id) > 128 {
		return ""
	}
	for i := range len(id) {
		if c := id[i]; !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return ""
		}
	}
	return id
}

// onlyValue is the value of a field that must not say two things; empty where there is none. False: it does.
func onlyValue(values []string) (value string, isOne bool) {
	if len(values) == 0 {
		return "", true
	}
	for _, other := range values[1:] {
		if other != values[0] {
			return "", false
		}
	}
	return values[0], true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isDigits tells whether text is one to max decimal digits.
func isDigits(text string, max int) bool {
	if len(text) == 0 || len(text) > max {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
