//! The one place where a failure becomes a response: code → status, title and the sentence that a client may read.
//! Nothing from an error reaches a client: an address or a backtrace would tell a stranger what stands behind the router.

use std::io;

/// What every error response can say; `code` is stable, so that a client may branch on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub detail: &'static str,
}

/// Handed around by reference, which costs nothing to copy.
pub type ErrorCode = &'static Problem;

macro_rules! problems {
    ($($name:ident = $code:literal, $status:literal, $title:literal, $detail:literal;)*) => {
        $(pub static $name: Problem = Problem { code: $code, status: $status, title: $title, detail: $detail };)*

        #[cfg(test)]
        static ALL: &[ErrorCode] = &[$(&$name),*];
    };
}

// #region problems
problems! {
    MALFORMED_REQUEST = "malformed-request", 400, "Bad Request", "The request is not valid HTTP/1.1.";
    AMBIGUOUS_HOST = "ambiguous-host", 400, "Bad Request", "Send exactly one Host field.";
    UNSUPPORTED_TARGET = "unsupported-target", 400, "Bad Request",
        "Send a path that starts with /, or an absolute http URL.";
    MISSING_ROUTING_KEY = "missing-routing-key", 400, "Bad Request",
        "Send an X-Routing-Key field that names the tenant.";
    AMBIGUOUS_ROUTING_KEY = "ambiguous-routing-key", 400, "Bad Request",
        "Send one X-Routing-Key; several with different values came.";
    ROUTING_KEY_TOO_LONG = "routing-key-too-long", 400, "Bad Request", "Send an X-Routing-Key of at most 256 bytes.";
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, "Method Not Allowed", "TRACE is not served here.";
    REQUEST_TIMEOUT = "request-timeout", 408, "Request Timeout", "The request did not arrive in time.";
    CONTENT_TOO_LARGE = "content-too-large", 413, "Content Too Large", "The request's chunk extensions are too large.";
    EXPECTATION_FAILED = "expectation-failed", 417, "Expectation Failed",
        "The only expectation served here is 100-continue.";
    RATE_LIMITED = "rate-limited", 429, "Too Many Requests",
        "Send fewer requests for this routing key or placement.";
    HEADER_FIELDS_TOO_LARGE = "header-fields-too-large", 431, "Request Header Fields Too Large",
        "Send a smaller request head.";
    ROUTER_FAULT = "router-fault", 500, "Internal Server Error", "The router failed.";
    CONNECT_NOT_SUPPORTED = "connect-not-supported", 501, "Not Implemented", "CONNECT is not served here.";
    TRANSFER_CODING_NOT_SUPPORTED = "transfer-coding-not-supported", 501, "Not Implemented",
        "The only transfer coding served here is chunked.";
    TARGET_NOT_SUPPORTED = "target-not-supported", 501, "Not Implemented", "The target * is not served here.";
    VERSION_NOT_SUPPORTED = "version-not-supported", 505, "HTTP Version Not Supported",
        "Send the request in HTTP/1.1 or HTTP/1.0.";
    UPSTREAM_UNREACHABLE = "upstream-unreachable", 502, "Bad Gateway", "No connection to the cell could be made.";
    UPSTREAM_BROKEN = "upstream-broken", 502, "Bad Gateway", "The cell ended the connection or broke the protocol.";
    NO_ROUTING_TABLE = "no-routing-table", 503, "Service Unavailable", "The router has no routing table yet.";
    ROUTER_EXHAUSTED = "router-exhausted", 503, "Service Unavailable", "The router has no free sockets.";
    OVERLOADED = "overloaded", 503, "Service Unavailable", "The limit of requests in progress is reached.";
    UNHEALTHY = "unhealthy", 503, "Service Unavailable", "The cell does not pass its health checks.";
    CIRCUIT_OPEN = "circuit-open", 503, "Service Unavailable", "The cell has failed too often recently.";
    CONNECT_TIMEOUT = "connect-timeout", 504, "Gateway Timeout", "No connection to the cell could be made in time.";
    HEAD_TIMEOUT = "head-timeout", 504, "Gateway Timeout", "The cell did not respond in time.";
    BODY_TIMEOUT = "body-timeout", 504, "Gateway Timeout", "The cell stopped sending in the middle of its response.";
}
// #endregion problems

impl Problem {
    /// Writes the body of an error response. See <https://www.rfc-editor.org/rfc/rfc9457> Problem Details for HTTP APIs.
    ///
    /// No part needs escaping: ours is plain, and a request id is checked to be of `[A-Za-z0-9._-]`.
    pub fn body(&self, request_id: &str) -> String {
        let Problem { code, status, title, detail } = self;
        format!(
            "{{\"type\":\"urn:cell-routing:problem:{code}\",\"title\":\"{title}\",\"status\":{status},\
             \"detail\":\"{detail}\",\"code\":\"{code}\",\"requestId\":\"{request_id}\"}}\n"
        )
    }

    /// Whether the client, not the cell, broke the exchange.
    pub fn is_client_fault(&self) -> bool {
        self.status < 500
    }

    /// Whether the cell broke the exchange: neither the client nor this router, which may have failed or had no free
    /// sockets.
    pub fn is_cell_fault(&self) -> bool {
        !self.is_client_fault() && self != &ROUTER_EXHAUSTED && self != &ROUTER_FAULT
    }

    /// Whether the request's framing is in doubt, so that nothing after it on its connection can be trusted.
    pub fn doubts_framing(&self) -> bool {
        let doubts = [&MALFORMED_REQUEST, &AMBIGUOUS_HOST, &TRANSFER_CODING_NOT_SUPPORTED, &VERSION_NOT_SUPPORTED];
        doubts.contains(&self)
    }
}

// #region connect-errors
/// Names what kept a connection from coming about, with the machine-readable cause for the log.
pub fn connect_error(error: &io::Error) -> (ErrorCode, String) {
    // What this machine has run out of: descriptors, memory, local ports. No cell is to blame.
    const EXHAUSTED: [(i32, &str); 6] = [
        (libc::EMFILE, "EMFILE"),
        (libc::ENFILE, "ENFILE"),
        (libc::ENOBUFS, "ENOBUFS"),
        (libc::ENOMEM, "ENOMEM"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
    ];
    const UNREACHABLE: [(i32, &str); 3] = [
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::EHOSTUNREACH, "EHOSTUNREACH"),
        (libc::ENETUNREACH, "ENETUNREACH"),
    ];
    let number = error.raw_os_error().unwrap_or_default();
    let named = |list: &[(i32, &'static str)]| list.iter().find(|(each, _)| *each == number).map(|(_, name)| *name);
    if let Some(name) = named(&EXHAUSTED) {
        return (&ROUTER_EXHAUSTED, name.into());
    }
    if let Some(name) = named(&UNREACHABLE) {
        return (&UPSTREAM_UNREACHABLE, name.into());
    }
    match error.kind() {
        io::ErrorKind::TimedOut => (&CONNECT_TIMEOUT, "ETIMEDOUT".into()),
        // A host name that cannot be looked up has no error number.
        _ if number == 0 => (&UPSTREAM_UNREACHABLE, "ENOTFOUND".into()),
        kind => (&UPSTREAM_BROKEN, kind.to_string()),
    }
}
// #endregion connect-errors

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_problem_is_json_with_its_status_and_code() {
        for problem in ALL {
            let body: Value = serde_json::from_str(&problem.body("id-1")).expect("JSON");
            assert_eq!(body["status"], json!(problem.status));
            assert_eq!(body["type"], json!(format!("urn:cell-routing:problem:{}", problem.code)));
            assert_eq!(body["requestId"], json!("id-1"));
        }
    }

    #[test]
    fn what_this_machine_has_run_out_of_is_no_cells_fault() {
        for number in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL] {
            let (code, _) = connect_error(&io::Error::from_raw_os_error(number));
            assert_eq!((code.code, code.is_cell_fault()), ("router-exhausted", false));
        }
        let cases = [(libc::ECONNREFUSED, "upstream-unreachable"), (libc::ETIMEDOUT, "connect-timeout")];
        for (number, expected) in cases {
            assert_eq!(connect_error(&io::Error::from_raw_os_error(number)).0.code, expected);
        }
    }
}
