//! One request through the router, as the engine's callbacks: check it, read one snapshot, decide, attempt, log. The order of
//! the steps stands here and nowhere else; each step's rules live in the module that it calls.
//! route → rate limit → concurrency limit → attempts (choose target → attempt → record → maybe retry) → log

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, Version, header};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use tokio::sync::watch;

use crate::access_log::{AccessLog, Outcome};
use crate::attempts::{AttemptedRequest, Attempts, Failure, Step};
use crate::clock;
use crate::engine_errors::{BODY_OVERDUE, INVALID_RESPONSE, REFUSED, WITHHELD};
use crate::engine_errors::{cause_of, cell_error, client_error, io_cause, nothing_was_heard};
use crate::errors::{self, connect_error};
use crate::exchange::{Exchange, Refusal};
use crate::headers::{ForwardingContext, strip_downstream_fields, write_routing_fields, write_upstream_fields};
use crate::metrics::Metrics;
use crate::request_head::read_request_head;
use crate::resilience::Resilience;
use crate::retry_policy::is_idempotent;
use crate::routing::RouteDecision;
use crate::routing_table::{Placement, RoutingTable};
use crate::table_store::TableStore;
use crate::token_bucket::TakeResult;
use crate::upstreams::Upstreams;

/// Attempts that a request may use up on connections that the cell had closed while they were idle.
const MAX_STALE_CONNECTIONS: u32 = 2;
/// Interim responses (1xx) ahead of one final response, in bytes.
const MAX_INTERIM_BYTES: usize = 64 * 1024;
const MAX_RESPONSE_HEAD_BYTES: usize = 64 * 1024;
/// In stock mode the engine gives a client this long for each piece of a body.
const STOCK_READ_TIMEOUT: Duration = Duration::from_secs(75);

pub struct ProxyHandler {
    pub store: Arc<TableStore>,
    pub upstreams: Arc<Upstreams>,
    pub resilience: Arc<Resilience>,
    pub metrics: Arc<Metrics>,
    pub access_log: AccessLog,
    pub stopping: watch::Receiver<bool>,
    /// `routing.rs`; an argument so that a test can plant a fault.
    pub route: fn(&RoutingTable, &str) -> RouteDecision,
}

impl ProxyHandler {
    // #region serve
    /// All that is decided before the first attempt. `Ok(true)`: the request may go no further than to this router.
    fn accept(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool, Refusal> {
        let head = read_request_head(session.req_header())?;
        let head = exchange.head.insert(head);
        // One read: a swap mid-request must not let one request see two tables.
        let snapshot = self.store.current().ok_or(Refusal::from(&errors::NO_ROUTING_TABLE))?;
        let decision = exchange.decision.insert((self.route)(&snapshot.table, &head.routing_key));
        if head.hops_left == Some(0) {
            return Ok(true);
        }
        let placement = decision.placement.clone();
        let taken = self.resilience.try_take(&snapshot.table, &head.routing_key, &placement, clock::now_ms());
        if let TakeResult::Empty { retry_after_ms } = taken {
            return Err(Refusal { code: &errors::RATE_LIMITED, retry_after_ms: Some(retry_after_ms) });
        }
        let place = self.resilience.guard(&placement).limit.try_acquire();
        exchange.place = Some(place.ok_or(Refusal::from(&errors::OVERLOADED))?);
        exchange.has_body = !session.is_body_empty();
        let request = AttemptedRequest {
            snapshot,
            origin: placement,
            method: session.req_header().method.as_str().to_owned(),
            has_body: exchange.has_body,
            started_at_ms: exchange.started_at_ms,
        };
        exchange.attempts = Some(Attempts::new(request, self.resilience.clone(), self.metrics.clone(), fastrand::f64));
        Ok(false)
    }
    // #endregion serve

    /// Who serves the next attempt, once it is time for it.
    async fn next_target(&self, session: &mut Session, exchange: &mut Exchange) -> Result<Arc<Placement>> {
        let attempts = exchange.attempts.as_mut().ok_or_else(|| Error::new_in(REFUSED))?;
        if std::mem::take(&mut exchange.repeat_is_due) {
            return Ok(attempts.target.clone());
        }
        loop {
            match attempts.next(clock::now_ms()) {
                Step::Send(target) => return Ok(target),
                Step::Wait(ms) => wait(session, exchange.has_body, ms).await?,
                Step::Refuse { code, retry_after_ms } => {
                    exchange.failure = Some((code, None));
                    exchange.retry_after_ms = retry_after_ms;
                    return Err(Error::new_in(REFUSED));
                }
                Step::GiveUp(Failure { code, cause, .. }) => {
                    exchange.failure = Some((code, Some(cause)));
                    return Err(Error::new_in(REFUSED));
                }
            }
        }
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

#[async_trait]
impl ProxyHttp for ProxyHandler {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        self.metrics.request_began();
        Exchange::new(self.access_log.clone())
    }

    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        exchange.begin(session);
        session.set_read_timeout(exchange.client.is_none().then_some(STOCK_READ_TIMEOUT));
        match self.accept(session, exchange) {
            Ok(false) => {}
            Ok(true) => {
                exchange.respond_here(session).await?;
                return Ok(true);
            }
            Err(refusal) => {
                exchange.refuse(session, &refusal).await?;
                return Ok(true);
            }
        }
        // An HTTP/1.0 client knows no interim responses.
        let is_old = session.req_header().version == Version::HTTP_10;
        session.set_ignore_info_resp(is_old);
        session.req_header_mut().remove_header(&header::EXPECT);
        Ok(false)
    }

    // #region attempt
    async fn upstream_peer(&self, session: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        loop {
            let target = self.next_target(session, exchange).await?;
            exchange.heard = false;
            match self.upstreams.resolve(&target.endpoint).await {
                Ok(address) => {
                    // Not before somebody takes the request: a client that is refused has not sent its body for nothing.
                    exchange.send_continue(session).await?;
                    return Ok(self.upstreams.peer(&target.endpoint, address));
                }
                Err(error) => {
                    let (code, cause) = connect_error(&error);
                    if !exchange.attempt_failed(Failure { code, cause, sent: false }) {
                        return Err(Error::new_in(REFUSED));
                    }
                }
            }
        }
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        exchange: &mut Exchange,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let (code, cause) = io_cause(&error)
            .map(connect_error)
            .unwrap_or_else(|| (&errors::CONNECT_TIMEOUT, error.etype().as_str().to_owned()));
        let again = exchange.attempt_failed(Failure { code, cause, sent: false });
        error.set_retry(again);
        error
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        _reused: bool,
        _: &HttpPeer,
        fd: RawFd,
        _: Option<&Digest>,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.cell = self.upstreams.connection(fd);
        if let Some(cell) = &exchange.cell {
            cell.on_request(exchange.client.clone(), exchange.has_body, clock::now_ms());
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        let (Some(head), Some(attempts)) = (&exchange.head, &exchange.attempts) else {
            return Err(Error::new_in(REFUSED));
        };
        if request.raw_path() != head.path {
            request.set_raw_path(&head.path)?;
        }
        let client = session.client_addr().and_then(|address| address.as_inet());
        let client_address = client.map_or_else(|| "unknown".to_owned(), |address| address.ip().to_string());
        write_upstream_fields(
            request,
            &ForwardingContext {
                head,
                client_address: &client_address,
                version: session.req_header().version,
                request_id: &exchange.request_id,
                authority: &attempts.target.endpoint.authority,
            },
        )
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.bytes_in += body.as_ref().map_or(0, |piece| piece.len() as u64);
        if let Some(cell) = exchange.cell.as_ref().filter(|_| end) {
            cell.on_body_sent(clock::now_ms());
        }
        Ok(())
    }
    // #endregion attempt

    // #region response-head
    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.heard = true;
        let size: usize = response.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if response.status.is_informational() {
            exchange.interim_bytes += size + response.status.as_str().len();
            if response.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(invalid("101 without an upgrade"));
            }
            if exchange.interim_bytes > MAX_INTERIM_BYTES {
                return Err(invalid("interim responses too large"));
            }
            // The router has answered the client's expectation itself. In front mode `client_io.rs` drops exactly this one.
            if response.status == StatusCode::CONTINUE && exchange.client.is_none() {
                session.set_ignore_info_resp(true);
            }
            exchange.interim_sent |= response.status != StatusCode::CONTINUE;
            strip_downstream_fields(response);
            return Ok(());
        }
        if size > MAX_RESPONSE_HEAD_BYTES {
            return Err(invalid("response head too large"));
        }
        let mut codings = response.headers.get_all(header::TRANSFER_ENCODING).iter();
        let is_unknown = codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if is_unknown || codings.next().is_some() {
            return Err(invalid("unknown transfer coding"));
        }
        if let Some(cell) = &exchange.cell {
            cell.on_response(clock::now_ms());
        }
        let is_answered = exchange.is_answered();
        let passes = exchange
            .attempts
            .as_mut()
            .is_none_or(|attempts| attempts.head_arrived(response.status.as_u16(), is_answered, clock::now_ms()));
        if !passes {
            return Err(Error::new_up(WITHHELD));
        }
        exchange.passes_head(response.status);
        strip_downstream_fields(response);
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        if response.status.is_informational() {
            return Ok(());
        }
        if let Some(decision) = &exchange.decision {
            write_routing_fields(response, &exchange.request_id, decision, exchange.attempts.as_ref())?;
        }
        if let (Some(client), Some(date)) = (&exchange.client, response.headers.get(header::DATE)) {
            client.set_date(date.clone());
        }
        if session.req_header().version == Version::HTTP_10 {
            response.remove_header(&header::TRANSFER_ENCODING);
        }
        if *self.stopping.borrow() {
            session.set_keepalive(None);
        }
        Ok(())
    }
    // #endregion response-head

    // #region response-body
    fn upstream_response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> Result<Option<Duration>> {
        exchange.bytes_out += body.as_ref().map_or(0, |piece| piece.len() as u64);
        let Some(cell) = &exchange.cell else { return Ok(None) };
        if !end {
            cell.on_response(clock::now_ms());
        } else if cell.overdue().is_some() {
            // The watch has shut the connection down: to a body without a length that would look like its end.
            return Err(Error::new_up(BODY_OVERDUE));
        } else {
            cell.on_end(clock::now_ms());
        }
        Ok(None)
    }
    // #endregion response-body

    // #region failures
    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        _: &mut Session,
        mut error: Box<Error>,
        exchange: &mut Exchange,
        reused: bool,
    ) -> Box<Error> {
        let again = if *error.etype() == WITHHELD {
            true
        } else if *error.esource() == ErrorSource::Downstream {
            false
        } else {
            let overdue = exchange.cell.as_ref().and_then(|cell| cell.overdue());
            let code = overdue.unwrap_or_else(|| cell_error(&error, exchange.head_arrived));
            let may_be_stale = reused && overdue.is_none() && !exchange.heard && nothing_was_heard(&error);
            if may_be_stale && exchange.may_repeat() {
                exchange.repeat_is_due = true;
                true
            } else {
                exchange.attempt_failed(Failure { code, cause: cause_of(&error), sent: true })
            }
        };
        exchange.cell = None;
        error.set_retry(again);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, exchange: &mut Exchange) -> FailToProxy {
        let nothing_more = FailToProxy { error_code: 0, can_reuse_downstream: false };
        let is_clients = *error.esource() == ErrorSource::Downstream;
        let client_fault = is_clients.then(|| client_error(error)).flatten();
        if let Some(code) = client_fault {
            exchange.failure = Some((code, Some(cause_of(error))));
        }
        if exchange.head_arrived || (is_clients && client_fault.is_none()) {
            exchange.outcome = if is_clients { Outcome::ClientAborted } else { Outcome::UpstreamFailed };
            return nothing_more;
        }
        let (code, cause) = exchange.failure.clone().unwrap_or((&errors::ROUTER_FAULT, Some(cause_of(error))));
        exchange.failure = Some((code, cause.clone()));
        // With a cause it was a cell's failure; without one, the router's own decision.
        if cause.is_some() && code.is_cell_fault() {
            exchange.outcome = Outcome::UpstreamFailed;
        }
        // In stock mode the engine closes the client's connection after an error, and must not promise otherwise.
        if exchange.client.is_none() {
            session.set_keepalive(None);
        }
        let refusal = Refusal { code, retry_after_ms: exchange.retry_after_ms };
        if exchange.refuse(session, &refusal).await.is_err() {
            exchange.outcome = Outcome::ClientAborted;
        }
        FailToProxy { error_code: code.status, can_reuse_downstream: false }
    }
    // #endregion failures

    fn suppress_error_log(&self, _: &Session, _: &Exchange, _: &Error) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Exchange) {
        if let Some(attempts) = &mut exchange.attempts {
            attempts.end_attempt();
        }
        exchange.place = None;
        // Of a response without a body, the engine tells no end.
        if let Some(cell) = exchange.cell.as_ref().filter(|_| error.is_none()) {
            cell.on_end(clock::now_ms());
        }
        exchange.is_whole |= error.is_none();
        exchange.end(session);
    }
}

fn invalid(words: &'static str) -> Box<Error> {
    Error::explain(INVALID_RESPONSE, words).into_up()
}

impl Exchange {
    /// Whether a request may go out again after its connection turned out to be stale.
    fn may_repeat(&mut self) -> bool {
        let method = self.attempts.as_ref().is_some_and(|attempts| is_idempotent(attempts.method()));
        let may = method && !self.has_body && self.stale_repeats < MAX_STALE_CONNECTIONS;
        self.stale_repeats += u32::from(may);
        may
    }

    /// True: another attempt follows.
    fn attempt_failed(&mut self, failure: Failure) -> bool {
        let is_answered = self.is_answered();
        self.failure = Some((failure.code, Some(failure.cause.clone())));
        let attempts = self.attempts.as_mut();
        attempts.is_some_and(|attempts| attempts.failed(failure, is_answered, clock::now_ms()))
    }

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
}
