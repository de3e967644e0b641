//! One attempt at one endpoint: before the engine connects, while it sends, and when it fails. It chooses nothing: which
//! endpoint, and whether to try again, is decided in `attempts.rs`. What the cell responds is left to `response.rs`.

use std::sync::Arc;
use std::time::Duration;

use http::Version;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use crate::attempts::{Failure, Step};
use crate::clock;
use crate::engine_errors::{REFUSED, WITHHELD, cause_of, cell_error, io_cause, nothing_was_heard};
use crate::errors::{self, connect_error};
use crate::exchange::Exchange;
use crate::headers::{ForwardingContext, write_upstream_fields};
use crate::retry_policy::is_idempotent;
use crate::routing_table::Placement;
use crate::upstreams::Upstreams;

/// Attempts that a request may use up on connections that the cell had closed while they were idle.
const MAX_STALE_CONNECTIONS: u32 = 2;

impl Exchange {
    // #region target
    /// Where the next attempt goes, once it is time for it. An error ends the request.
    pub async fn next_peer(&mut self, session: &mut Session, upstreams: &Upstreams) -> Result<Box<HttpPeer>> {
        loop {
            let target = self.next_target(session).await?;
            self.heard = false;
            let failed = match upstreams.resolve(&target.endpoint).await {
                Ok(address) => {
                    // Not before somebody takes the request: a client that is refused has not sent its body for nothing.
                    self.send_continue(session).await?;
                    return Ok(upstreams.peer(&target.endpoint, address));
                }
                Err(error) => connect_error(&error),
            };
            let (code, cause) = failed;
            if !self.attempt_failed(Failure { code, cause, sent: false }) {
                return Err(Error::new_in(REFUSED));
            }
        }
    }

    async fn next_target(&mut self, session: &mut Session) -> Result<Arc<Placement>> {
        let attempts = self.attempts.as_mut().ok_or_else(|| Error::new_in(REFUSED))?;
        if std::mem::take(&mut self.repeat_is_due) {
            return Ok(attempts.target.clone());
        }
        loop {
            match attempts.next(clock::now_ms()) {
                Step::Send(target) => return Ok(target),
                Step::Wait(ms) => wait(session, self.has_body, ms).await?,
                Step::Refuse { code, retry_after_ms } => {
                    self.failure = Some((code, None));
                    self.retry_after_ms = retry_after_ms;
                    return Err(Error::new_in(REFUSED));
                }
                Step::GiveUp(Failure { code, cause, .. }) => {
                    self.failure = Some((code, Some(cause)));
                    return Err(Error::new_in(REFUSED));
                }
            }
        }
    }
    // #endregion target

    async fn send_continue(&mut self, session: &mut Session) -> Result<()> {
        let expects = self.head.as_ref().is_some_and(|head| head.expects_continue);
        if !expects || std::mem::replace(&mut self.continue_sent, true) {
            return Ok(());
        }
        // Or the engine takes the 100 for a response ahead of the request's end, and closes after the real one.
        session.set_close_on_response_before_downstream_finish(false);
        if let Some(client) = &self.client {
            client.set_says_continue(true);
        }
        let sent = session.write_continue_response().await;
        if let Some(client) = &self.client {
            client.set_says_continue(false);
        }
        session.set_close_on_response_before_downstream_finish(true);
        sent
    }

    /// Turns the client's fields into those for the cell.
    pub fn write_request(&self, session: &Session, request: &mut RequestHeader) -> Result<()> {
        let (Some(head), Some(attempts)) = (&self.head, &self.attempts) else {
            return Err(Error::new_in(REFUSED));
        };
        if request.raw_path() != head.path {
            request.set_raw_path(&head.path)?;
        }
        let client = session.client_addr().and_then(|address| address.as_inet());
        let client_address = client.map_or_else(|| "unknown".to_owned(), |address| address.ip().to_string());
        let context = ForwardingContext {
            head,
            client_address: &client_address,
            version: session.req_header().version,
            request_id: &self.request_id,
            authority: &attempts.target.endpoint.authority,
        };
        write_upstream_fields(request, &context)
    }

    // #region failures
    /// No connection came about. True: another attempt follows.
    pub fn not_connected(&mut self, error: &Error) -> bool {
        let (code, cause) = io_cause(error)
            .map(connect_error)
            .unwrap_or_else(|| (&errors::CONNECT_TIMEOUT, error.etype().as_str().to_owned()));
        self.attempt_failed(Failure { code, cause, sent: false })
    }

    /// The exchange with the cell broke, or was ended by us. True: another attempt follows.
    pub fn broken(&mut self, error: &Error, reused: bool) -> bool {
        let cell = self.cell.take();
        if *error.etype() == WITHHELD {
            return true;
        }
        if *error.esource() == ErrorSource::Downstream {
            return false;
        }
        let overdue = cell.and_then(|cell| cell.overdue());
        let may_be_stale = reused && overdue.is_none() && !self.heard && nothing_was_heard(error);
        if may_be_stale && self.may_repeat() {
            self.stale_repeats += 1;
            self.repeat_is_due = true;
            return true;
        }
        let code = overdue.unwrap_or_else(|| cell_error(error, self.head_arrived));
        self.attempt_failed(Failure { code, cause: cause_of(error), sent: true })
    }

    /// Whether a request may go out again after its connection turned out to be stale: a keep-alive race, not a sick cell.
    /// See <https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1>.
    fn may_repeat(&self) -> bool {
        let is_idempotent = self.attempts.as_ref().is_some_and(|attempts| is_idempotent(attempts.method()));
        is_idempotent && !self.has_body && self.stale_repeats < MAX_STALE_CONNECTIONS
    }

    fn attempt_failed(&mut self, failure: Failure) -> bool {
        let is_answered = self.is_answered();
        self.failure = Some((failure.code, Some(failure.cause.clone())));
        let attempts = self.attempts.as_mut();
        attempts.is_some_and(|attempts| attempts.failed(failure, is_answered, clock::now_ms()))
    }
    // #endregion failures

    /// Whether the client's protocol is older than interim responses and chunks.
    pub fn is_old(session: &Session) -> bool {
        session.req_header().version == Version::HTTP_10
    }
}

/// Nobody waits for a retry once the client has left. With a body that is still to be read, its leaving shows later.
async fn wait(session: &mut Session, has_body: bool, ms: f64) -> Result<()> {
    let pause = tokio::time::sleep(Duration::from_secs_f64(ms / 1000.0));
    if has_body {
        pause.await;
        return Ok(());
    }
    tokio::select! {
        () = pause => Ok(()),
        left = session.downstream_session.read_body_or_idle(true) => {
            left.map_err(|error| error.into_down())?;
            Ok(())
        }
    }
}
