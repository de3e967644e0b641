//! Names what went wrong in the words of `errors.rs`. The engine tells most failures by a type, some only by the I/O error
//! inside, and one only in words.

use std::io;

use pingora_error::{Error, ErrorSource, ErrorType};

use crate::errors::{self, ErrorCode};
use crate::fence::BodyFault;

/// Errors that the handler itself raises to end an attempt.
pub const WITHHELD: ErrorType = ErrorType::Custom("response withheld");
pub const REFUSED: ErrorType = ErrorType::Custom("request refused");
pub const INVALID_RESPONSE: ErrorType = ErrorType::Custom("invalid response");
pub const BODY_OVERDUE: ErrorType = ErrorType::Custom("body overdue");

/// What the client did: `None` when it simply left.
pub fn client_error(error: &Error) -> Option<ErrorCode> {
    if let Some(io_error) = io_cause(error) {
        if let Some(BodyFault(code)) = io_error.get_ref().and_then(|inner| inner.downcast_ref::<BodyFault>()) {
            return Some(code);
        }
        if io_error.kind() == io::ErrorKind::TimedOut && *error.etype() != ErrorType::WriteError {
            return Some(&errors::REQUEST_TIMEOUT);
        }
    }
    match error.etype() {
        ErrorType::ReadTimedout => Some(&errors::REQUEST_TIMEOUT),
        ErrorType::InvalidHTTPHeader => Some(&errors::MALFORMED_REQUEST),
        // The engine's own words for a chunked body that breaks the rules.
        ErrorType::Custom(words) if words.contains("Chunk") || words.contains("Trailer") => {
            Some(&errors::MALFORMED_REQUEST)
        }
        _ => None,
    }
}

/// What the cell did, after a connection to it had been made.
pub fn cell_error(error: &Error, head_arrived: bool) -> ErrorCode {
    match error.etype() {
        ErrorType::ReadTimedout if head_arrived => &errors::BODY_TIMEOUT,
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => &errors::HEAD_TIMEOUT,
        _ if *error.esource() == ErrorSource::Internal => &errors::ROUTER_FAULT,
        _ => &errors::UPSTREAM_BROKEN,
    }
}

/// Whether the connection may have been closed by the cell before it read the request: not a byte of a response came.
pub fn nothing_was_heard(error: &Error) -> bool {
    match error.etype() {
        ErrorType::WriteError => true,
        // The engine tells how much of a head came in words only.
        ErrorType::ConnectionClosed | ErrorType::ReadError => {
            error.context.as_ref().is_some_and(|context| context.as_str().ends_with("bytes already read: 0"))
        }
        _ => false,
    }
}

/// A machine-readable cause for the log.
pub fn cause_of(error: &Error) -> String {
    let number = io_cause(error).and_then(io::Error::raw_os_error);
    match number {
        Some(libc::ECONNRESET) => "ECONNRESET".into(),
        Some(libc::EPIPE) => "EPIPE".into(),
        Some(libc::ETIMEDOUT) => "ETIMEDOUT".into(),
        _ => error
            .context
            .as_ref()
            .filter(|_| *error.etype() == INVALID_RESPONSE)
            .map_or_else(|| error.etype().as_str().to_owned(), |context| context.as_str().to_owned()),
    }
}

/// The I/O error at the root, however deep it lies.
pub fn io_cause(error: &Error) -> Option<&io::Error> {
    let root = error.root_cause();
    root.downcast_ref::<io::Error>().or_else(|| root.source().and_then(|inner| inner.downcast_ref()))
}
