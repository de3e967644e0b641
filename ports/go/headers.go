// The header rules of a proxy, beside those that httputil.ReverseProxy has: it removes hop-by-hop fields, those that
// `Connection` names, and the client's own X-Forwarded-*. Here stands what else stops here, and what the router writes itself.

package main

import (
	"net/http"
	"strconv"
	"strings"
)

// #region hop-by-hop

// Fields about one connection that ReverseProxy lets pass, or puts back; `Expect` because net/http responds to it itself.
var alsoHopByHop = []string{"Connection", "Te", "Upgrade", "Expect", "Http2-Settings"}

// Framing and routing fields that `Connection` cannot name away: without its length a body would run into the next message,
// and nobody must be able to take away a field that the router vouches for.
var notNominable = map[string]bool{"content-length": true, "host": true, "x-routing-key": true, "set-cookie": true}

// keepNominated takes the fields that must stay out of a Connection field before ReverseProxy removes those that it names.
func keepNominated(header http.Header) {
	connection := header["Connection"]
	if len(connection) == 0 {
		return
	}
	var kept []string
	for _, value := range connection {
		for option := range strings.SplitSeq(value, ",") {
			if option = strings.TrimSpace(option); option != "" && !notNominable[strings.ToLower(option)] {
				kept = append(kept, option)
			}
		}
	}
	header["Connection"] = kept
}

// #endregion hop-by-hop

// #region forwarding

// Written by the router towards the cell, so a client's own copies never pass. In net/http's spelling.
var ownedUpstream = []string{
	"Host", "X-Routing-Key", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Routed-To",
	"X-Route-Reason", "Via",
}

// ForwardingContext is what the router knows about a request when it writes the fields for the cell.
type ForwardingContext struct {
	ClientAddress string
	RequestID     string
	Head          *RequestHead
}

// upstreamHeaders writes the fields for the cell into out, which holds the client's end-to-end fields; in holds them all.
//
// `X-Forwarded-For` and `Via` are lists and grow by this hop; `X-Forwarded-Host` and `-Proto` are facts that the router
// states. `Host` is left to the connection, which knows the cell's authority.
func upstreamHeaders(out, in http.Header, context ForwardingContext) {
	for _, name := range alsoHopByHop {
		delete(out, name)
	}
	for _, name := range ownedUpstream {
		delete(out, name)
	}
	dropLookAlikes(out)
	// ReverseProxy removes it, because a client may forge it; the stages pass it on, as any field that they do not write.
	if forwarded, ok := in["Forwarded"]; ok {
		out["Forwarded"] = forwarded
	}
	head := context.Head
	if head.HopsLeft > 0 {
		out["Max-Forwards"] = []string{strconv.Itoa(head.HopsLeft - 1)}
	}
	out["X-Routing-Key"] = []string{head.RawRoutingKey}
	out["X-Request-Id"] = []string{context.RequestID}
	out["X-Forwarded-For"] = []string{appended(in["X-Forwarded-For"], context.ClientAddress)}
	out["X-Forwarded-Proto"] = []string{"http"}
	out["Via"] = []string{appended(in["Via"], head.Version+" cell-router")}
	if head.Host != "" {
		out["X-Forwarded-Host"] = []string{head.Host}
	}
}

// dropLookAlikes drops fields that a CGI or WSGI cell could not tell from those that the router owns: both spellings of
// `X_Routing_Key` reach its program as HTTP_X_ROUTING_KEY.
func dropLookAlikes(header http.Header) {
	for name := range header {
		if !strings.Contains(name, "_") {
			continue
		}
		lookAlike := strings.ReplaceAll(name, "_", "-")
		for _, owned := range ownedUpstream {
			if strings.EqualFold(lookAlike, owned) {
				delete(header, name)
			}
		}
	}
}

// appended joins the list field's values so far, in order, with `value` as the last.
func appended(values []string, value string) string {
	all := make([]string, 0, len(values)+1)
	for _, each := range values {
		if each != "" {
			all = append(all, each)
		}
	}
	return strings.Join(append(all, value), ", ")
}

// #endregion forwarding

// #region downstream

// RoutingFields is what the router tells the client about its decision, and about what came of it.
type RoutingFields struct {
	RequestID, RoutedTo, RouteReason string
	// Who was routed to and why another one serves; empty when nobody stood in.
	FailoverFrom   string
	FailoverReason FailoverReason
	// Retries made for this response.
	Retries int
}

// Written by the router towards the client, so a cell's own copies never pass.
var ownedDownstream = []string{
	"X-Request-Id", "X-Routed-To", "X-Route-Reason", "X-Failover-From", "X-Failover-Reason", "X-Retry-Count",
}

// downstreamHeaders turns the fields of a cell's response into those for the client, in place.
func downstreamHeaders(header http.Header, routing RoutingFields) {
	for _, name := range alsoHopByHop {
		delete(header, name)
	}
	for _, name := range ownedDownstream {
		delete(header, name)
	}
	writeRoutingFields(header, routing)
}

// writeRoutingFields writes what every response to a routed request says.
func writeRoutingFields(header http.Header, routing RoutingFields) {
	header["X-Request-Id"] = []string{routing.RequestID}
	header["X-Routed-To"] = []string{routing.RoutedTo}
	header["X-Route-Reason"] = []string{routing.RouteReason}
	if routing.FailoverFrom != "" {
		header["X-Failover-From"] = []string{routing.FailoverFrom}
		header["X-Failover-Reason"] = []string{string(routing.FailoverReason)}
	}
	if routing.Retries > 0 {
		header["X-Retry-Count"] = []string{strconv.Itoa(routing.Retries)}
	}
}

// interimHeaders leaves of an interim response's fields what may reach the client: no framing, and nothing that the
// router vouches for on the final response. ReverseProxy passes them all, hop-by-hop fields too.
func interimHeaders(header http.Header) {
	keepNominated(header)
	for _, value := range header["Connection"] {
		delete(header, http.CanonicalHeaderKey(value))
	}
	for _, name := range hopByHop {
		delete(header, name)
	}
	for _, name := range ownedDownstream {
		delete(header, name)
	}
	delete(header, "Content-Length")
	delete(header, "Trailer")
}

// What ReverseProxy removes from final messages, and what stands in alsoHopByHop.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
var hopByHop = append([]string{
	"Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Transfer-Encoding",
}, alsoHopByHop...)

// endToEndTrailers removes from a response's trailers what frames, routes or describes a connection: a trailer arrives after
// the decision. https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
func endToEndTrailers(trailers http.Header) {
	for _, names := range [][]string{hopByHop, ownedUpstream, ownedDownstream, {"Content-Length", "Trailer"}} {
		for _, name := range names {
			delete(trailers, name)
		}
	}
}

// #endregion downstream
