package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// requestOf reads a request as net/http's server does; the target is read apart, as behind the front.
func requestOf(t *testing.T, method, version string, fields ...string) *http.Request {
	t.Helper()
	text := method + " / HTTP/" + version + "\r\n" + strings.Join(append(fields, "", ""), "\r\n")
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func TestReadRequestHeadJudges(t *testing.T) {
	host, key := "Host: shop.example", "X-Routing-Key: acme"
	for _, each := range []struct {
		title, method, version, target string
		fields                         []string
		expected                       ErrorCode
	}{
		{"a good request", "GET", "1.1", "/a?b=c", []string{host, key}, ""},
		{"no routing key", "GET", "1.1", "/", []string{host}, "missing-routing-key"},
		{"an empty routing key", "GET", "1.1", "/", []string{host, "X-Routing-Key:"}, "missing-routing-key"},
		{"two different routing keys", "GET", "1.1", "/", []string{host, key, "x-routing-key: globex"}, "ambiguous-routing-key"},
		{"two keys, one empty", "GET", "1.1", "/", []string{host, key, "x-routing-key:"}, "ambiguous-routing-key"},
		{"the same routing key twice", "GET", "1.1", "/", []string{host, key, "x-routing-key: acme"}, ""},
		{"a key of 256 bytes", "GET", "1.1", "/", []string{host, "X-Routing-Key: " + strings.Repeat("k", 256)}, ""},
		{"a key of 257 bytes", "GET", "1.1", "/", []string{host, "X-Routing-Key: " + strings.Repeat("k", 257)}, "routing-key-too-long"},
		{"TRACE", "TRACE", "1.1", "/", []string{host, key}, "method-not-allowed"},
		{"CONNECT", "CONNECT", "1.1", "cells.test:80", []string{host, key}, "connect-not-supported"},
		{"no Host in HTTP/1.0", "GET", "1.0", "/", []string{key}, ""},
		{"a Host that holds a list", "GET", "1.1", "/", []string{"Host: a, b", key}, "ambiguous-host"},
		{"the target *", "OPTIONS", "1.1", "*", []string{host, key}, "target-not-supported"},
		{"OPTIONS without a path", "OPTIONS", "1.1", "http://a", []string{host, key}, "target-not-supported"},
		{"a target without a slash", "GET", "1.1", "a/b", []string{host, key}, "unsupported-target"},
		{"a target with a fragment", "GET", "1.1", "/a#b", []string{host, key}, "unsupported-target"},
		{"an absolute target with a fragment", "GET", "1.1", "http://a/#b", []string{host, key}, "unsupported-target"},
		{"an absolute target of another scheme", "GET", "1.1", "ftp://a/b", []string{host, key}, "unsupported-target"},
		{"an absolute target with user information", "GET", "1.1", "http://u:p@a/b", []string{host, key}, "unsupported-target"},
		{"an expectation", "GET", "1.1", "/", []string{host, key, "Expect: 100-Continue"}, ""},
		{"another expectation", "GET", "1.1", "/", []string{host, key, "Expect: 100-continue, fly"}, "expectation-failed"},
		{"another expectation in a second field", "GET", "1.1", "/", []string{host, key, "Expect: 100-continue", "Expect: fly"}, "expectation-failed"},
		{"any expectation in HTTP/1.0", "GET", "1.0", "/", []string{host, key, "Expect: fly"}, ""},
		{"a path that net/http cannot send", "GET", "1.1", "//a/%zz", []string{host, key}, "unsupported-target"},
	} {
		t.Run(each.title, func(t *testing.T) {
			if _, refusal := readRequestHead(requestOf(t, each.method, each.version, each.fields...), each.target); refusal != each.expected {
				t.Errorf("%q, expected %q", refusal, each.expected)
			}
		})
	}
}

func TestReadRequestHeadTakesHostAndPathFromAnAbsoluteTarget(t *testing.T) {
	for _, each := range []struct{ target, path, host string }{
		{"http://other.example/x?y", "/x?y", "other.example"},
		{"HTTP://other.example:81", "/", "other.example:81"},
		{"http://other.example?y", "/?y", "other.example"},
		{"/x", "/x", "a"},
	} {
		head, refusal := readRequestHead(requestOf(t, "GET", "1.1", "Host: a", "X-Routing-Key: k"), each.target)
		if refusal != "" || head.Path != each.path || head.Host != each.host {
			t.Errorf("%s: %q %q %q", each.target, head.Path, head.Host, refusal)
		}
	}
}

func TestRoutingKeysThatAreNotUTF8NeverStandForAListedKey(t *testing.T) {
	for raw, expected := range map[string]string{"m\xc3\xbcnchen": "münchen", "m\xfcnchen": "m\uFFFDnchen"} {
		head, _ := readRequestHead(requestOf(t, "GET", "1.1", "Host: a", "X-Routing-Key: "+raw), "/")
		if head.RoutingKey != expected || head.RawRoutingKey != raw {
			t.Errorf("%q became %q", raw, head.RoutingKey)
		}
	}
}

func TestCellURLKeepsEveryByteOfAPath(t *testing.T) {
	for _, path := range []string{
		"/", "/a/b/c", "/?x=1&x=2&&y=", "//double//slash?a//b", "/./dot/../dotdot", "/%2e%2e%2F%00%zz?q=%20+", "//%2Fa?",
		"/;p=1,2/@:!$&'()*+=~?/?/", "/[brackets]|{braces}?^`",
	} {
		if url, ok := cellURL("127.0.0.1:80", path); !ok || url.RequestURI() != path {
			t.Errorf("%s is sent as %v", path, url)
		}
	}
}

func TestUpstreamHeaders(t *testing.T) {
	in := http.Header{
		"X-Forwarded-For": {"198.51.100.1", "", "198.51.100.2"}, "Via": {"1.0 edge"}, "X-Forwarded-Host": {"forged"},
		"X-Forwarded-Proto": {"https"}, "X-Request-Id": {"forged"}, "X-Routed-To": {"visa"}, "X_routing_key": {"visa"},
		"X-Routing_Key": {"visa"}, "X_own": {"kept"}, "Te": {"trailers"}, "Upgrade": {"h2c"}, "Forwarded": {"for=1"},
		"X-Routing-Key": {"acme", "acme"}, "Accept": {"*/*"},
	}
	out := in.Clone()
	delete(out, "Forwarded")
	head := &RequestHead{Version: "1.1", Host: "shop.example", RawRoutingKey: "acme", HopsLeft: 7}
	upstreamHeaders(out, in, ForwardingContext{"192.0.2.7", "id-1", head})
	expected := map[string]string{
		"X-Forwarded-For": "198.51.100.1, 198.51.100.2, 192.0.2.7", "Via": "1.0 edge, 1.1 cell-router", "X-Forwarded-Host": "shop.example",
		"X-Forwarded-Proto": "http", "X-Request-Id": "id-1", "X-Routing-Key": "acme", "X_own": "kept", "Accept": "*/*",
		"Forwarded": "for=1", "Max-Forwards": "6",
	}
	for name, values := range out {
		if len(values) != 1 || values[0] != expected[name] {
			t.Errorf("%s: %q, expected %q", name, values, expected[name])
		}
	}
	if len(out) != len(expected) {
		t.Errorf("%d fields, expected %d", len(out), len(expected))
	}
}

func TestDownstreamHeaders(t *testing.T) {
	header := http.Header{"X-Routed-To": {"visa", "tier2"}, "X-Failover-From": {"a"}, "X-Retry-Count": {"9"}, "Set-Cookie": {"a=1", "b=2"}}
	downstreamHeaders(header, RoutingFields{RequestID: "id-1", RoutedTo: "tier1", RouteReason: "tier"})
	if len(header) != 4 || header.Get("X-Routed-To") != "tier1" || len(header["Set-Cookie"]) != 2 {
		t.Errorf("%v", header)
	}
	trailers := http.Header{"Digest": {"abc"}, "Content-Length": {"9"}, "Transfer-Encoding": {"chunked"}, "X-Routed-To": {"visa"}}
	endToEndTrailers(trailers)
	if len(trailers) != 1 {
		t.Errorf("trailers: %v", trailers)
	}
	nominated := http.Header{"Connection": {"Content-Length, close", "set-cookie, X-Internal"}}
	keepNominated(nominated)
	if got := strings.Join(nominated["Connection"], ","); got != "close,X-Internal" {
		t.Errorf("Connection: %s", got)
	}
}
