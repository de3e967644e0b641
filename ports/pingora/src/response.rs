//! What a cell responds: the heads that pass, those that are kept from the client, and the end of the body. Which fields pass
//! is left to `headers.rs`.

use http::{StatusCode, header};
use pingora_error::{Error, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use crate::clock;
use crate::engine_errors::{BODY_OVERDUE, INVALID_RESPONSE, WITHHELD};
use crate::exchange::Exchange;
use crate::headers::{strip_downstream_fields, write_routing_fields};

/// Interim responses (1xx) ahead of one final response, in bytes.
const MAX_INTERIM_BYTES: usize = 64 * 1024;
const MAX_HEAD_BYTES: usize = 64 * 1024;

impl Exchange {
    /// The head of a response has come, interim or final. An error ends the attempt before the client sees any of it.
    pub fn head_came(&mut self, session: &mut Session, response: &mut ResponseHeader) -> Result<()> {
        self.heard = true;
        let size: usize = response.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if response.status.is_informational() {
            self.interim_came(session, response.status, size)?;
        } else {
            self.final_head_came(response, size)?;
        }
        strip_downstream_fields(response);
        Ok(())
    }

    // #region interim-responses
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-15.2>
    fn interim_came(&mut self, session: &mut Session, status: StatusCode, size: usize) -> Result<()> {
        self.interim_bytes += size + status.as_str().len();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(invalid("101 without an upgrade"));
        }
        if self.interim_bytes > MAX_INTERIM_BYTES {
            return Err(invalid("interim responses too large"));
        }
        // The router has answered the client's expectation itself. In front mode `head_mender.rs` drops exactly this one.
        if status == StatusCode::CONTINUE && self.client.is_none() {
            session.set_ignore_info_resp(true);
        }
        self.interim_sent |= status != StatusCode::CONTINUE;
        Ok(())
    }
    // #endregion interim-responses

    // #region response-head
    fn final_head_came(&mut self, response: &ResponseHeader, size: usize) -> Result<()> {
        if size > MAX_HEAD_BYTES {
            return Err(invalid("response head too large"));
        }
        let mut codings = response.headers.get_all(header::TRANSFER_ENCODING).iter();
        let is_unknown = codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if is_unknown || codings.next().is_some() {
            return Err(invalid("unknown transfer coding"));
        }
        if let Some(cell) = &self.cell {
            cell.on_response(clock::now_ms());
        }
        let is_answered = self.is_answered();
        let status = response.status.as_u16();
        let attempts = self.attempts.as_mut();
        let passes = attempts.is_none_or(|attempts| attempts.head_arrived(status, is_answered, clock::now_ms()));
        if !passes {
            return Err(Error::new_up(WITHHELD));
        }
        self.passes_head(response.status);
        Ok(())
    }

    /// The head of the final response is about to be written: the router's own fields.
    pub fn write_head(&self, session: &Session, response: &mut ResponseHeader) -> Result<()> {
        if let Some(decision) = &self.decision {
            write_routing_fields(response, &self.request_id, decision, self.attempts.as_ref())?;
        }
        if let (Some(client), Some(date)) = (&self.client, response.headers.get(header::DATE)) {
            client.set_date(date.clone());
        }
        if Exchange::is_old(session) {
            response.remove_header(&header::TRANSFER_ENCODING);
        }
        Ok(())
    }
    // #endregion response-head

    // #region response-body
    /// A piece of the body has come, or its end.
    pub fn body_came(&mut self, bytes: usize, end: bool) -> Result<()> {
        self.bytes_out += bytes as u64;
        let Some(cell) = &self.cell else { return Ok(()) };
        if !end {
            cell.on_response(clock::now_ms());
        } else if cell.overdue().is_some() {
            // The watch has shut the connection down: to a body without a length that would look like its end.
            return Err(Error::new_up(BODY_OVERDUE));
        } else {
            cell.on_end(clock::now_ms());
        }
        Ok(())
    }
    // #endregion response-body
}

fn invalid(words: &'static str) -> Box<Error> {
    Error::explain(INVALID_RESPONSE, words).into_up()
}
