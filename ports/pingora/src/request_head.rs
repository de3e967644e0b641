//! What must hold before a request may be routed: unambiguous framing, one host, a target that can be passed on, one
//! routing key. Pure. In front mode `head_reader.rs` has checked the bytes before the engine parsed them; in stock mode
//! this is the only check.

use http::{HeaderMap, Method, Version};
use pingora_http::RequestHeader;

use crate::errors::{self, ErrorCode};
use crate::headers::{OWNED_UPSTREAM, values_of};
use crate::routing_table::MAX_ROUTING_KEY_BYTES;

/// The parts of a request that routing and forwarding need, checked.
#[derive(Debug)]
pub struct RequestHead {
    /// Path and query in origin form.
    pub path: Vec<u8>,
    pub host: Option<Vec<u8>>,
    /// The key as text, for the look-up and the log.
    pub routing_key: String,
    /// The key's bytes as they came, for the cell.
    pub raw_routing_key: Vec<u8>,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// How many hops an `OPTIONS` may still go, this router included: at 0 it ends here.
    pub hops_left: Option<u32>,
    /// Names of fields that a CGI or WSGI cell could not tell from those that the router owns.
    pub look_alikes: Vec<String>,
}

// #region read-request-head
pub fn read_request_head(request: &RequestHeader) -> Result<RequestHead, ErrorCode> {
    let headers = &request.headers;
    let version = request.version;
    if version != Version::HTTP_11 && version != Version::HTTP_10 {
        return Err(&errors::VERSION_NOT_SUPPORTED);
    }
    if request.method == Method::TRACE {
        return Err(&errors::METHOD_NOT_ALLOWED);
    }
    check_codings(headers, version)?;
    let expects_continue = read_expectations(headers, version)?;

    let hosts = values_of(headers, "host");
    // https://www.rfc-editor.org/rfc/rfc9112#section-3.2: none in HTTP/1.1, or more than one, is an error.
    let has_no_host = hosts.is_empty() && version == Version::HTTP_11;
    if hosts.len() > 1 || has_no_host || !hosts.iter().all(|host| is_host(host)) {
        return Err(&errors::AMBIGUOUS_HOST);
    }
    let (path, authority) = read_target(request.method.as_str(), request.raw_path())?;
    let host = authority.or(hosts.first().copied()).map(<[u8]>::to_vec);

    let raw_routing_key = read_routing_key(headers)?;
    Ok(RequestHead {
        path,
        host,
        // Bytes that are not UTF-8 become U+FFFD: the key is then one that no table lists, and goes to the default.
        routing_key: String::from_utf8_lossy(raw_routing_key).into_owned(),
        raw_routing_key: raw_routing_key.to_vec(),
        expects_continue,
        hops_left: read_max_forwards(request),
        look_alikes: look_alikes(headers),
    })
}
// #endregion read-request-head

fn check_codings(headers: &HeaderMap, version: Version) -> Result<(), ErrorCode> {
    let codings = values_of(headers, "transfer-encoding");
    // An HTTP/1.0 message with a transfer coding has passed something that did not understand it: its framing is faulty.
    // https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    match codings.as_slice() {
        [] => Ok(()),
        _ if version != Version::HTTP_11 => Err(&errors::MALFORMED_REQUEST),
        [coding] if coding.eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(&errors::TRANSFER_CODING_NOT_SUPPORTED),
    }
}

/// Whether the client waits for `100 Continue`. An HTTP/1.0 client cannot expect anything.
/// See <https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1>.
fn read_expectations(headers: &HeaderMap, version: Version) -> Result<bool, ErrorCode> {
    if version == Version::HTTP_10 {
        return Ok(false);
    }
    let values = values_of(headers, "expect");
    let members = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
    let mut expects = false;
    for member in members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()) {
        if !member.eq_ignore_ascii_case(b"100-continue") {
            return Err(&errors::EXPECTATION_FAILED);
        }
        expects = true;
    }
    Ok(expects)
}

fn read_routing_key(headers: &HeaderMap) -> Result<&[u8], ErrorCode> {
    let keys = values_of(headers, "x-routing-key");
    let key = keys.first().copied().unwrap_or_default();
    if keys.iter().any(|other| *other != key) {
        return Err(&errors::AMBIGUOUS_ROUTING_KEY);
    }
    if key.is_empty() {
        return Err(&errors::MISSING_ROUTING_KEY);
    }
    if key.len() > MAX_ROUTING_KEY_BYTES {
        return Err(&errors::ROUTING_KEY_TOO_LONG);
    }
    Ok(key)
}

/// `None` for no limit. See <https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2>.
fn read_max_forwards(request: &RequestHeader) -> Option<u32> {
    if request.method != Method::OPTIONS {
        return None;
    }
    match values_of(&request.headers, "max-forwards").as_slice() {
        [value] if (1..=9).contains(&value.len()) && value.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(value).ok()?.parse().ok()
        }
        _ => None,
    }
}

// #region look-alikes
/// Both spellings of `X_Routing_Key` reach a CGI program as HTTP_X_ROUTING_KEY.
fn look_alikes(headers: &HeaderMap) -> Vec<String> {
    let underscored = headers.keys().map(http::HeaderName::as_str).filter(|name| name.contains('_'));
    underscored.filter(|name| OWNED_UPSTREAM.contains(&name.replace('_', "-").as_str())).map(str::to_owned).collect()
}
// #endregion look-alikes

/// Host and port. No comma: a list of hosts is not a host. <https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2>
pub fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte))
}

/// The path in origin form, and the authority where the target brought one: in absolute form that is the host, whatever
/// the `Host` field says. See <https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2>.
pub fn read_target<'a>(method: &str, target: &'a [u8]) -> Result<(Vec<u8>, Option<&'a [u8]>), ErrorCode> {
    // A client keeps the fragment to itself. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1
    if target.contains(&b'#') || has_bytes_that_the_engine_refuses(target) {
        return Err(&errors::UNSUPPORTED_TARGET);
    }
    if target.starts_with(b"/") {
        return Ok((target.to_vec(), None));
    }
    if target == b"*" {
        return Err(&errors::TARGET_NOT_SUPPORTED);
    }
    let scheme_ends = [b"http://".as_slice(), b"https://"]
        .into_iter()
        .find(|scheme| target.len() > scheme.len() && target[..scheme.len()].eq_ignore_ascii_case(scheme))
        .ok_or(&errors::UNSUPPORTED_TARGET)?
        .len();
    let after_scheme = &target[scheme_ends..];
    let end = after_scheme.iter().position(|byte| b"/?".contains(byte)).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(end);
    if authority.is_empty() || !is_host(authority) {
        return Err(&errors::UNSUPPORTED_TARGET);
    }
    // Without a path, it asks about the server as a whole. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.4
    if method == "OPTIONS" && rest.is_empty() {
        return Err(&errors::TARGET_NOT_SUPPORTED);
    }
    let path = if rest.starts_with(b"/") { rest.to_vec() } else { [b"/", rest].concat() };
    Ok((path, Some(authority)))
}

/// `http::Uri`, which the engine builds of each target, knows no such bytes, and the engine would answer by itself.
fn has_bytes_that_the_engine_refuses(target: &[u8]) -> bool {
    let query = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    target.iter().any(|byte| b"<>".contains(byte)) || target[..query].contains(&b'`')
}

/// The client's request id, where it brought exactly one that is safe to log and to pass on.
pub fn request_id(headers: &HeaderMap) -> Option<String> {
    let ids = values_of(headers, "x-request-id");
    let id = *ids.first()?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let fits = (1..=128).contains(&id.len()) && id.iter().all(is_plain) && ids.iter().all(|other| *other == id);
    fits.then(|| String::from_utf8_lossy(id).into_owned())
}

#[cfg(test)]
#[path = "request_head_tests.rs"]
mod tests;
