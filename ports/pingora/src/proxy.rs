//! One request through the router, as the engine's callbacks: check it, read one snapshot, decide, attempt, log. The order of
//! the steps stands here and nowhere else; each step's rules live in the module that it calls.
//! route → rate limit → concurrency limit → attempts (choose target → attempt → record → maybe retry) → log

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header;
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use tokio::sync::watch;

use crate::access_log::{AccessLog, Outcome};
use crate::attempts::{AttemptedRequest, Attempts};
use crate::clock;
use crate::engine_errors::{cause_of, client_error};
use crate::errors;
use crate::exchange::{Exchange, Refusal};
use crate::metrics::Metrics;
use crate::request_head::read_request_head;
use crate::resilience::Resilience;
use crate::routing::RouteDecision;
use crate::routing_table::RoutingTable;
use crate::table_store::TableStore;
use crate::token_bucket::TakeResult;
use crate::upstreams::Upstreams;

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
            primary: placement,
            method: session.req_header().method.as_str().to_owned(),
            has_body: exchange.has_body,
            started_at_ms: exchange.started_at_ms,
        };
        let attempts = Attempts::new(request, self.resilience.clone(), self.metrics.clone(), fastrand::f64);
        exchange.attempts = Some(attempts);
        Ok(false)
    }
    // #endregion serve
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
        let is_old = Exchange::is_old(session);
        session.set_ignore_info_resp(is_old);
        session.req_header_mut().remove_header(&header::EXPECT);
        Ok(false)
    }

    // #region attempt
    async fn upstream_peer(&self, session: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        exchange.next_peer(session, &self.upstreams).await
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        exchange: &mut Exchange,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let again = exchange.not_connected(&error);
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
        exchange.write_request(session, request)
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

    // #region response
    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.head_came(session, response)
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
        if *self.stopping.borrow() {
            session.set_keepalive(None);
        }
        exchange.write_head(session, response)
    }

    fn upstream_response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> Result<Option<Duration>> {
        exchange.body_came(body.as_ref().map_or(0, Bytes::len), end)?;
        Ok(None)
    }
    // #endregion response

    // #region failures
    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        _: &mut Session,
        mut error: Box<Error>,
        exchange: &mut Exchange,
        reused: bool,
    ) -> Box<Error> {
        let again = exchange.broken(&error, reused);
        error.set_retry(again);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, exchange: &mut Exchange) -> FailToProxy {
        let is_clients = *error.esource() == ErrorSource::Downstream;
        let client_fault = if is_clients { client_error(error) } else { None };
        if let Some(code) = client_fault {
            exchange.failure = Some((code, Some(cause_of(error))));
        }
        if exchange.head_arrived || (is_clients && client_fault.is_none()) {
            exchange.outcome = if is_clients { Outcome::ClientAborted } else { Outcome::UpstreamFailed };
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        }
        let (code, cause) = exchange.failure.clone().unwrap_or((&errors::ROUTER_FAULT, Some(cause_of(error))));
        // With a cause it was a cell's failure; without one, the router's own decision.
        if cause.is_some() && code.is_cell_fault() {
            exchange.outcome = Outcome::UpstreamFailed;
        }
        exchange.failure = Some((code, cause));
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
        exchange.is_whole |= error.is_none();
        exchange.end(session);
    }
}
