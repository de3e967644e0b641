//! The header rules of a proxy: which fields pass, which stop here, which the router writes itself. Framing is the
//! engine's: it writes `Transfer-Encoding` and `Connection` on both sides.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader, header_value_from_raw};

use crate::attempts::Attempts;
use crate::request_head::RequestHead;
use crate::routing::RouteDecision;

// #region hop-by-hop
/// Fields about one connection, not about the message. `Expect` is among them because this router answers it itself.
/// See <https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1>.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "upgrade",
    "expect",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
];

/// Framing and routing fields that `Connection` cannot name away: without its length a body would run into the next
/// message, and a client must not be able to take a field from the cell that the router vouches for.
const NOT_NOMINABLE: [&str; 5] = ["content-length", "host", "x-routing-key", "set-cookie", "transfer-encoding"];

/// The names of this section that must not pass: hop-by-hop fields, and those that `Connection` names.
pub fn stopping_here(headers: &HeaderMap) -> Vec<HeaderName> {
    let fixed = HOP_BY_HOP.into_iter().filter(|name| headers.contains_key(*name)).map(HeaderName::from_static);
    let mut names: Vec<HeaderName> = fixed.collect();
    for value in headers.get_all(header::CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',') {
            let Ok(name) = HeaderName::from_bytes(option.trim_ascii()) else { continue };
            if !NOT_NOMINABLE.contains(&name.as_str()) && headers.contains_key(&name) {
                names.push(name);
            }
        }
    }
    names
}
// #endregion hop-by-hop

/// Written by the router towards the cell, so a client's own copies never pass.
pub const OWNED_UPSTREAM: [&str; 9] = [
    "host",
    "x-routing-key",
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-routed-to",
    "x-route-reason",
    "via",
];

/// Written by the router towards the client, so a cell's own copies never pass.
const OWNED_DOWNSTREAM: [&str; 6] =
    ["x-request-id", "x-routed-to", "x-route-reason", "x-failover-from", "x-failover-reason", "x-retry-count"];

/// What the router knows about a request when it writes the fields for the cell.
pub struct ForwardingContext<'a> {
    pub head: &'a RequestHead,
    /// Address of the client's end of the connection.
    pub client_address: &'a str,
    /// Protocol version that the client spoke.
    pub version: Version,
    pub request_id: &'a str,
    /// Host and port of the cell.
    pub authority: &'a str,
}

// #region forwarding
/// Turns the client's fields into those for the cell: the client's end-to-end fields, then the router's own.
///
/// `X-Forwarded-For` and `Via` are lists and grow by this hop; `X-Forwarded-Host` and `-Proto` are facts that the router
/// states. See <https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3> Via.
pub fn write_upstream_fields(request: &mut RequestHeader, context: &ForwardingContext<'_>) -> Result<()> {
    let ForwardingContext { head, client_address, version, request_id, authority } = *context;
    let forwarded_for = appended(&request.headers, "x-forwarded-for", client_address);
    let hop = if version == Version::HTTP_10 { "1.0 cell-router" } else { "1.1 cell-router" };
    let via = appended(&request.headers, "via", hop);
    for name in stopping_here(&request.headers) {
        request.remove_header(&name);
    }
    for name in head.look_alikes.iter().map(String::as_str).chain(["x-routed-to", "x-route-reason"]) {
        request.remove_header(name);
    }
    if let Some(hops_left) = head.hops_left {
        request.insert_header(header::MAX_FORWARDS, hops_left.saturating_sub(1).to_string())?;
    }
    request.insert_header("X-Routing-Key", header_value_from_raw(head.raw_routing_key.clone()))?;
    request.insert_header("X-Request-Id", request_id)?;
    request.insert_header("X-Forwarded-For", header_value_from_raw(forwarded_for))?;
    request.insert_header("X-Forwarded-Proto", "http")?;
    request.insert_header("Via", header_value_from_raw(via))?;
    match &head.host {
        Some(host) => request.insert_header("X-Forwarded-Host", header_value_from_raw(host.clone()))?,
        None => drop(request.remove_header("x-forwarded-host")),
    }
    request.insert_header(header::HOST, authority)
}

/// The list field's values so far, in order, with `value` as the last.
fn appended(headers: &HeaderMap, name: &str, value: &str) -> Vec<u8> {
    let mut all = Vec::with_capacity(64);
    for each in headers.get_all(name).iter().filter(|each| !each.is_empty()) {
        all.extend_from_slice(each.as_bytes());
        all.extend_from_slice(b", ");
    }
    all.extend_from_slice(value.as_bytes());
    all
}
// #endregion forwarding

// #region downstream
/// Takes away what a response or an interim response of a cell must not bring to the client.
pub fn strip_downstream_fields(response: &mut ResponseHeader) {
    for name in stopping_here(&response.headers) {
        response.remove_header(&name);
    }
    for name in OWNED_DOWNSTREAM {
        response.remove_header(name);
    }
    // The engine drops trailers, so none is announced.
    response.remove_header(&header::TRAILER);
    // A length would contradict the framing: beside `Transfer-Encoding`, which overrides it, on a 204, and ahead of the
    // final response. https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    let has_no_length = response.status.is_informational() || response.status == http::StatusCode::NO_CONTENT;
    if has_no_length || response.headers.contains_key(header::TRANSFER_ENCODING) {
        response.remove_header(&header::CONTENT_LENGTH);
    }
}

/// What every response to a routed request says about the decision and about what came of it.
pub fn write_routing_fields(
    response: &mut ResponseHeader,
    request_id: &str,
    decision: &RouteDecision,
    attempts: Option<&Attempts>,
) -> Result<()> {
    let served_by = attempts.map_or(&decision.placement, |attempts| &attempts.target);
    response.insert_header("X-Request-Id", request_id)?;
    response.insert_header("X-Routed-To", served_by.name.as_str())?;
    response.insert_header("X-Route-Reason", decision.reason.as_str())?;
    let Some(attempts) = attempts else { return Ok(()) };
    if let Some(reason) = attempts.failover {
        response.insert_header("X-Failover-From", decision.placement.name.as_str())?;
        response.insert_header("X-Failover-Reason", reason.as_str())?;
    }
    if attempts.retries > 0 {
        response.insert_header("X-Retry-Count", attempts.retries)?;
    }
    Ok(())
}
// #endregion downstream

/// One field of a head that is written by hand.
pub fn push_field(head: &mut String, name: &str, value: &str) {
    let _ = write!(head, "{name}: {value}\r\n");
}

/// Every value of a field, in order.
pub fn values_of<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    fn stopped(list: &[(&'static str, &'static str)]) -> String {
        let mut names: Vec<String> = stopping_here(&fields(list)).iter().map(|name| name.to_string()).collect();
        names.sort();
        names.dedup();
        names.join(" ")
    }

    #[test]
    fn stops_hop_by_hop_fields_and_those_that_connection_names() {
        assert_eq!(stopped(&[("accept", "*/*"), ("x-a", "1")]), "");
        assert_eq!(stopped(&[("connection", "close, X-A"), ("x-a", "1"), ("x-b", "2")]), "connection x-a");
        assert_eq!(
            stopped(&[("connection", "x-a"), ("connection", ",, x-b ,"), ("x-a", "1"), ("x-b", "2")]),
            "connection x-a x-b"
        );
        assert_eq!(
            stopped(&[("te", "trailers"), ("upgrade", "h2c"), ("keep-alive", "timeout=5")]),
            "keep-alive te upgrade"
        );
    }

    #[test]
    fn nobody_names_away_what_frames_or_routes() {
        let named = "content-length, host, x-routing-key, set-cookie, transfer-encoding";
        let list = [
            ("connection", named),
            ("content-length", "1"),
            ("host", "a"),
            ("x-routing-key", "visa"),
            ("set-cookie", "a=b"),
            ("transfer-encoding", "chunked"),
        ];
        assert_eq!(stopped(&list), "connection");
    }

    #[test]
    fn a_list_field_grows_by_this_hop() {
        let cases: [(&[(&'static str, &'static str)], &str); 3] = [
            (&[], "10.0.0.1"),
            (&[("x-forwarded-for", "a, b"), ("x-forwarded-for", "c")], "a, b, c, 10.0.0.1"),
            (&[("x-forwarded-for", "")], "10.0.0.1"),
        ];
        for (list, expected) in cases {
            assert_eq!(appended(&fields(list), "x-forwarded-for", "10.0.0.1"), expected.as_bytes());
        }
    }
}
