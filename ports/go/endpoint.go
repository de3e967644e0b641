// Where an endpoint's URL leads: two spellings of one address are one cell, and a dedicated cell belongs to one tenant. A name
// that only DNS can resolve is compared as text.

package main

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var originPattern = regexp.MustCompile(`^http://([^/?#@\\\s%]+)$`)

var hostNamePattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)

// readOrigin brings `http://host:port` into one spelling, because connection pools are kept by it. hostPort is what to dial.
func readOrigin(text string) (origin, hostPort string, ok bool) {
	match := originPattern.FindStringSubmatch(text)
	if match == nil {
		return "", "", false
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return "", "", false
	}
	host, port := strings.ToLower(parsed.Hostname()), parsed.Port()
	if strings.HasSuffix(match[1], ":") {
		return "", "", false
	}
	switch {
	case strings.HasPrefix(match[1], "["):
		address, err := netip.ParseAddr(host)
		if err != nil || !address.Is6() || address.Zone() != "" {
			return "", "", false
		}
		host = "[" + address.String() + "]"
	case endsInNumber(host):
		if host, ok = readIPv4(host); !ok {
			return "", "", false
		}
	case !hostNamePattern.MatchString(host):
		return "", "", false
	}
	if port == "" {
		port = "80"
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 1 || number > 65_535 {
		return "", "", false
	}
	hostPort = host + ":" + strconv.Itoa(number)
	origin = "http://" + strings.TrimSuffix(hostPort, ":80")
	return origin, hostPort, true
}

// endsInNumber: then the whole must be an IPv4 address. https://url.spec.whatwg.org/#ends-in-a-number-checker
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return isDigits(last, len(last)) || strings.HasPrefix(last, "0x") && err == nil
}

// readIPv4 reads an address as the system's resolver does: one to four numbers, also octal or hexadecimal, of which the last one
// fills the rest. https://url.spec.whatwg.org/#concept-ipv4-parser
func readIPv4(host string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return "", false
	}
	var address uint64
	for at, part := range parts {
		if strings.HasPrefix(part, "0b") || strings.HasPrefix(part, "0o") || strings.Contains(part, "_") {
			return "", false
		}
		number, err := strconv.ParseUint(part, 0, 64)
		room := uint(8)
		if at == len(parts)-1 {
			room = uint(8 * (5 - len(parts)))
		}
		if err != nil || number >= 1<<room {
			return "", false
		}
		address = address<<room | number
	}
	return net.IPv4(byte(address>>24), byte(address>>16), byte(address>>8), byte(address)).String(), true
}

// #region dialled-at

// dialledAt is what a connection to hostPort dials. Equal results mean one endpoint.
//
// What is left to compare is what the operating system does: it dials loopback for `localhost`, `0.0.0.0` and `[::]`.
// Loopback's IPv4 and IPv6 addresses count as one, because a server that listens on "all addresses" answers on both.
func dialledAt(hostPort string) string {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return hostPort
	}
	// The root's dot: `cell.example.` is `cell.example`.
	host = strings.TrimSuffix(host, ".")
	address, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		// An IPv4 address written as an IPv6 one: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
		address = address.Unmap()
		host = address.String()
		if address == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || address == netip.IPv6Loopback() || address.IsUnspecified() {
			host = "loopback"
		}
	// https://www.rfc-editor.org/rfc/rfc6761#section-6.3
	case host == "localhost", strings.HasSuffix(host, ".localhost"):
		host = "loopback"
	}
	return host + ":" + port
}

// #endregion dialled-at
