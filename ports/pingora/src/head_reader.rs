//! The strict reader of request heads: one head, read in one way only. It runs on the bytes before the engine parses them,
//! and refuses what the engine would accept, mend or answer by itself. Pure; `client_connection.rs` does the reading.

use bytes::BytesMut;
use memchr::memmem;

use crate::errors::{self, ErrorCode};
use crate::fence::{Framing, is_token_byte};
use crate::request_head::{is_host, read_target};

pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The engine's own reader stops at 256.
const MAX_FIELDS: usize = 200;
const MAX_LENGTH_DIGITS: usize = 15;

/// What the bytes so far are.
#[derive(Debug)]
pub enum HeadBytes {
    /// The head ends before this byte.
    Whole(usize),
    Partial,
}

// #region find
/// Finds the end of a head. Refuses early what can no longer become one: a client that sends rubbish gets no time to.
pub fn find_head(bytes: &[u8]) -> Result<HeadBytes, ErrorCode> {
    if let Some(at) = memmem::find(bytes, b"\r\n\r\n") {
        let end = at + 4;
        return if end > MAX_HEAD_BYTES { Err(&errors::HEADER_FIELDS_TOO_LARGE) } else { Ok(HeadBytes::Whole(end)) };
    }
    let is_bare = |at: usize| at == 0 || bytes[at - 1] != b'\r';
    let begins_with_control = bytes.first().is_some_and(|byte| *byte < b' ' && *byte != b'\r');
    if begins_with_control || memchr::memchr_iter(b'\n', bytes).any(is_bare) {
        return Err(&errors::MALFORMED_REQUEST);
    }
    if bytes.len() > MAX_HEAD_BYTES { Err(&errors::HEADER_FIELDS_TOO_LARGE) } else { Ok(HeadBytes::Partial) }
}
// #endregion find

/// A head that may go on to the engine.
#[derive(Debug)]
pub struct Checked {
    pub framing: Framing,
    /// The head in origin form, where its target was in absolute form.
    pub rewritten: Option<BytesMut>,
}

/// Fields whose number and value decide about framing and host.
#[derive(Default)]
struct Seen<'a> {
    fields: usize,
    lengths: usize,
    length: &'a [u8],
    codings: usize,
    is_chunked: bool,
    hosts: usize,
    host: &'a [u8],
}

// #region check
/// `head` ends with its empty line.
pub fn check_head(head: &[u8]) -> Result<Checked, ErrorCode> {
    let body_of_head = head.strip_suffix(b"\r\n\r\n").ok_or(&errors::MALFORMED_REQUEST)?;
    let mut lines = memmem::find_iter(body_of_head, b"\r\n");
    let first_end = lines.next().unwrap_or(body_of_head.len());
    let (method, target, version) = read_request_line(&body_of_head[..first_end])?;
    if method == b"CONNECT" {
        return Err(&errors::CONNECT_NOT_SUPPORTED);
    }
    let mut seen = Seen::default();
    let mut begin = first_end + 2;
    while begin <= body_of_head.len() {
        let end = lines.next().unwrap_or(body_of_head.len());
        read_field(&body_of_head[begin..end], &mut seen)?;
        begin = end + 2;
    }
    let framing = read_framing(&seen, version)?;
    if seen.hosts > 1 || (seen.hosts == 0 && version == b"HTTP/1.1") || !is_host(seen.host) {
        return Err(&errors::AMBIGUOUS_HOST);
    }
    let method_text = std::str::from_utf8(method).unwrap_or_default();
    let (path, authority) = read_target(method_text, target)?;
    let rewritten = authority.map(|authority| rewrite(head, first_end + 2, method, &path, version, authority));
    Ok(Checked { framing, rewritten })
}
// #endregion check

type RequestLine<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn read_request_line(line: &[u8]) -> Result<RequestLine<'_>, ErrorCode> {
    let malformed = Err(&errors::MALFORMED_REQUEST);
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return malformed;
    };
    let is_control = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    if method.is_empty()
        || !method.iter().copied().all(is_token_byte)
        || target.is_empty()
        || target.iter().any(is_control)
    {
        return malformed;
    }
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok((method, target, version)),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            Err(&errors::VERSION_NOT_SUPPORTED)
        }
        _ => malformed,
    }
}

fn read_field<'a>(line: &'a [u8], seen: &mut Seen<'a>) -> Result<(), ErrorCode> {
    let malformed = Err(&errors::MALFORMED_REQUEST);
    let Some(colon) = memchr::memchr(b':', line) else { return malformed };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    if name.is_empty() || !name.iter().copied().all(is_token_byte) || value.iter().any(is_control) {
        return malformed;
    }
    seen.fields += 1;
    if seen.fields > MAX_FIELDS {
        return Err(&errors::HEADER_FIELDS_TOO_LARGE);
    }
    if name.eq_ignore_ascii_case(b"content-length") {
        seen.lengths += 1;
        seen.length = value;
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        seen.codings += 1;
        seen.is_chunked = value.eq_ignore_ascii_case(b"chunked");
    } else if name.eq_ignore_ascii_case(b"host") {
        seen.hosts += 1;
        seen.host = value;
    }
    Ok(())
}

// #region framing
/// One length or one coding, and never both. <https://www.rfc-editor.org/rfc/rfc9112#section-6.3>
fn read_framing(seen: &Seen<'_>, version: &[u8]) -> Result<Framing, ErrorCode> {
    if seen.lengths > 1 || (seen.lengths > 0 && seen.codings > 0) || (seen.codings > 0 && version == b"HTTP/1.0") {
        return Err(&errors::MALFORMED_REQUEST);
    }
    if seen.codings > 0 {
        let is_plain = seen.codings == 1 && seen.is_chunked;
        return if is_plain { Ok(Framing::Chunked) } else { Err(&errors::TRANSFER_CODING_NOT_SUPPORTED) };
    }
    if seen.lengths == 0 {
        return Ok(Framing::None);
    }
    let digits = seen.length;
    if digits.is_empty() || digits.len() > MAX_LENGTH_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(&errors::MALFORMED_REQUEST);
    }
    Ok(Framing::Length(digits.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0'))))
}
// #endregion framing

/// In absolute form the target's authority is the host, whatever the field says; the engine would refuse the difference.
fn rewrite(head: &[u8], fields_at: usize, method: &[u8], path: &[u8], version: &[u8], authority: &[u8]) -> BytesMut {
    let mut written = BytesMut::with_capacity(head.len());
    for part in [method, b" ", path, b" ", version, b"\r\nHost: ", authority, b"\r\n"] {
        written.extend_from_slice(part);
    }
    let is_host_line = |line: &&[u8]| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:"));
    for line in head[fields_at..].split_inclusive(|byte| *byte == b'\n').filter(|line| !is_host_line(line)) {
        written.extend_from_slice(line);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str) -> Result<(Framing, Option<String>), &'static str> {
        let checked = check_head(head.as_bytes()).map_err(|problem| problem.code)?;
        let text = checked.rewritten.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((checked.framing, text))
    }

    #[test]
    fn reads_how_the_body_is_framed() {
        let cases = [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::None),
            ("GET / HTTP/1.0\r\n\r\n", Framing::None),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 012\r\n\r\n", Framing::Length(12)),
            ("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:  Chunked \r\n\r\n", Framing::Chunked),
        ];
        for (head, framing) in cases {
            assert_eq!(check(head), Ok((framing, None)), "{head:?}");
        }
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        let with = |field: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        let fields = [
            ("Content-Length: 1\r\nContent-Length: 1", "malformed-request"),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", "malformed-request"),
            ("Content-Length: +1", "malformed-request"),
            ("Content-Length: 1, 1", "malformed-request"),
            ("Content-Length:", "malformed-request"),
            ("Content-Length: 1000000000000000", "malformed-request"),
            ("Transfer-Encoding: chunked, chunked", "transfer-coding-not-supported"),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "transfer-coding-not-supported"),
            ("Transfer-Encoding : chunked", "malformed-request"),
            (" folded: x", "malformed-request"),
            ("A: b\n c: d", "malformed-request"),
            ("A: b\rC: d", "malformed-request"),
            ("A: \u{0}", "malformed-request"),
            ("no colon", "malformed-request"),
            (": x", "malformed-request"),
            ("Host: b", "ambiguous-host"),
        ];
        for (field, code) in fields {
            assert_eq!(check(&with(field)), Err(code), "{field:?}");
        }
        let heads = [
            ("GET / HTTP/1.1\r\n\r\n", "ambiguous-host"),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "malformed-request"),
            ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed-request"),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "version-not-supported"),
            ("GET / http/1.1\r\nHost: a\r\n\r\n", "malformed-request"),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "connect-not-supported"),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed-request"),
        ];
        for (head, code) in heads {
            assert_eq!(check(head), Err(code), "{head:?}");
        }
    }

    #[test]
    fn an_absolute_target_says_which_host_is_meant() {
        let (framing, rewritten) =
            check("GET http://b.test/x?y HTTP/1.1\r\nA: 1\r\nhost: a.test\r\nB: 2\r\n\r\n").expect("a head");
        assert_eq!(framing, Framing::None);
        assert_eq!(rewritten.as_deref(), Some("GET /x?y HTTP/1.1\r\nHost: b.test\r\nA: 1\r\nB: 2\r\n\r\n"));
        let (_, bare) = check("GET http://b.test HTTP/1.0\r\n\r\n").expect("a head");
        assert_eq!(bare.as_deref(), Some("GET / HTTP/1.0\r\nHost: b.test\r\n\r\n"));
    }

    #[test]
    fn waits_for_the_end_of_a_head_and_not_for_that_of_rubbish() {
        assert!(matches!(find_head(b"GET / HTTP/1.1\r\nHost"), Ok(HeadBytes::Partial)));
        assert!(matches!(find_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"), Ok(HeadBytes::Whole(27))));
        for bytes in [&b"GET / HTTP/1.1\nHost: a"[..], b"\n", b"\x16\x03\x01"] {
            assert_eq!(find_head(bytes).map(|_| ()).map_err(|p| p.code), Err("malformed-request"));
        }
        let long = vec![b'a'; MAX_HEAD_BYTES + 1];
        assert_eq!(find_head(&long).map(|_| ()).map_err(|p| p.code), Err("header-fields-too-large"));
    }
}
