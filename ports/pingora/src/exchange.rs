//! Everything that one request gathers on its way, and how it is told at the end. The order of the steps is left to
//! `proxy.rs`.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use uuid::Uuid;

use crate::access_log::{AccessEntry, AccessLog, Outcome};
use crate::attempts::Attempts;
use crate::cell_connection::CellConnection;
use crate::client_state::{ClientState, Ending};
use crate::clock;
use crate::concurrency_limit::Permit;
use crate::errors::{self, ErrorCode};
use crate::fenced::Fenced;
use crate::headers::write_routing_fields;
use crate::request_head::{RequestHead, request_id};
use crate::routing::RouteDecision;

const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

pub struct Exchange {
    access_log: AccessLog,
    pub started_at_ms: f64,
    pub request_id: String,
    method: String,
    path: Vec<u8>,
    /// The connection of the client in front mode.
    pub client: Option<Arc<ClientState>>,
    pub head: Option<RequestHead>,
    pub decision: Option<RouteDecision>,
    /// Held until the request has ended, whoever serves it: what spills over to others is bounded by this limit too.
    pub place: Option<Permit>,
    pub attempts: Option<Attempts>,
    pub cell: Option<Arc<CellConnection>>,
    pub has_body: bool,
    pub continue_sent: bool,
    pub interim_bytes: usize,
    pub interim_sent: bool,
    /// Something of a response has come over the present connection.
    pub heard: bool,
    /// The head of the final response has come and goes to the client.
    pub head_arrived: bool,
    /// Repeats on connections that the cell had closed while they were idle; the next one is due.
    pub stale_repeats: u32,
    pub repeat_is_due: bool,
    pub bytes_in: u64,
    pub bytes_out: u64,
    status: u16,
    /// The response is whole.
    pub is_whole: bool,
    pub outcome: Outcome,
    pub failure: Option<(ErrorCode, Option<String>)>,
    pub retry_after_ms: Option<f64>,
    is_logged: bool,
}

/// Why the router responds in its own name.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: ErrorCode,
    pub retry_after_ms: Option<f64>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Refusal { code, retry_after_ms: None }
    }
}

impl Exchange {
    pub fn new(access_log: AccessLog) -> Self {
        Exchange {
            access_log,
            started_at_ms: clock::now_ms(),
            request_id: String::new(),
            method: String::new(),
            path: Vec::new(),
            client: None,
            head: None,
            decision: None,
            place: None,
            attempts: None,
            cell: None,
            has_body: false,
            continue_sent: false,
            interim_bytes: 0,
            interim_sent: false,
            heard: false,
            head_arrived: false,
            stale_repeats: 0,
            repeat_is_due: false,
            bytes_in: 0,
            bytes_out: 0,
            status: 0,
            is_whole: false,
            outcome: Outcome::Complete,
            failure: None,
            retry_after_ms: None,
            is_logged: false,
        }
    }

    /// Notes who asks for what, before anything is decided from it.
    pub fn begin(&mut self, session: &Session) {
        let request = session.req_header();
        self.request_id = request_id(&request.headers).unwrap_or_else(|| Uuid::new_v4().to_string());
        self.method = request.method.as_str().to_owned();
        self.path = request.raw_path().to_vec();
        self.client = client_state(session);
        if let Some(client) = &self.client {
            client.set_seen();
        }
    }

    /// Whether a byte of a cell's response, interim ones included, has gone to the client.
    pub fn is_answered(&self) -> bool {
        self.head_arrived || self.interim_sent
    }

    // #region refuse
    /// Responds in the router's own name.
    pub async fn refuse(&mut self, session: &mut Session, refusal: &Refusal) -> Result<()> {
        let code = refusal.code;
        let body = code.body(&self.request_id);
        let mut response = ResponseHeader::build(code.status, Some(10))?;
        response.insert_header(header::CONTENT_TYPE, "application/problem+json")?;
        response.insert_header(header::CONTENT_LENGTH, body.len())?;
        response.insert_header(header::CACHE_CONTROL, "no-store")?;
        match &self.decision {
            Some(decision) => {
                write_routing_fields(&mut response, &self.request_id, decision, self.attempts.as_ref())?;
            }
            None => response.insert_header("X-Request-Id", self.request_id.as_str())?,
        }
        if code == &errors::METHOD_NOT_ALLOWED {
            response.insert_header(header::ALLOW, ALLOWED_METHODS)?;
        }
        if matches!(code.status, 429 | 503) {
            let seconds = (refusal.retry_after_ms.unwrap_or(1000.0) / 1000.0).ceil().max(1.0);
            response.insert_header(header::RETRY_AFTER, (seconds as u64).to_string())?;
        }
        if code.doubts_framing() {
            session.set_keepalive(None);
        }
        self.failure.get_or_insert((code, None));
        self.respond(session, response, Some(body)).await
    }
    // #endregion refuse

    /// An `OPTIONS` whose `Max-Forwards` has come down to 0: nobody behind this router may see it.
    pub async fn respond_here(&mut self, session: &mut Session) -> Result<()> {
        let mut response = ResponseHeader::build(StatusCode::NO_CONTENT, Some(6))?;
        response.insert_header(header::ALLOW, ALLOWED_METHODS)?;
        if let Some(decision) = &self.decision {
            write_routing_fields(&mut response, &self.request_id, decision, None)?;
        }
        self.respond(session, response, None).await
    }

    async fn respond(&mut self, session: &mut Session, response: ResponseHeader, body: Option<String>) -> Result<()> {
        self.status = response.status.as_u16();
        let body = body.filter(|_| session.req_header().method != Method::HEAD);
        session.write_response_header(Box::new(response), body.is_none()).await?;
        if let Some(body) = body {
            session.write_response_body(Some(Bytes::from(body)), true).await?;
        }
        self.is_whole = true;
        Ok(())
    }

    /// The head of the cell's final response goes to the client.
    pub fn passes_head(&mut self, status: StatusCode) {
        self.status = status.as_u16();
        self.head_arrived = true;
        // What earlier attempts met is no longer what the client sees.
        self.failure = None;
    }

    // #region end
    /// The exchange is over: tells the connection what becomes of it, and the log how it went.
    pub fn end(&mut self, session: &Session) {
        if let Some(attempts) = &mut self.attempts {
            attempts.end_attempt();
        }
        self.place = None;
        // Of a response without a body, the engine tells no end.
        if let Some(cell) = self.cell.as_ref().filter(|_| self.is_whole) {
            cell.on_end(clock::now_ms());
        }
        let is_old = Exchange::is_old(session);
        let keeps = session.as_http1().is_some_and(|http| http.will_keepalive());
        if let Some(client) = &self.client {
            client.set_ending(match self.is_whole {
                true if keeps => Ending::Keep,
                true => Ending::Close,
                false if is_old && self.head_arrived => Ending::Reset,
                false => Ending::Cut,
            });
        }
        self.log();
    }

    fn log(&mut self) {
        if std::mem::replace(&mut self.is_logged, true) {
            return;
        }
        let head = self.head.as_ref();
        let routed = self.decision.as_ref();
        let attempts = self.attempts.as_ref();
        let served_by = attempts.map(|attempts| &attempts.target).or(routed.map(|decision| &decision.placement));
        let failover = attempts.and_then(|attempts| attempts.failover);
        self.access_log.record(&AccessEntry {
            event: "request",
            request_id: &self.request_id,
            method: &self.method,
            path: &String::from_utf8_lossy(head.map_or(&self.path, |head| &head.path)),
            routing_key: head.filter(|_| routed.is_some()).map(|head| head.routing_key.as_str()),
            placement: routed.map(|decision| decision.placement.name.as_str()),
            reason: routed.map(|decision| decision.reason.as_str()),
            upstream: served_by.map(|placement| placement.endpoint.url.as_str()),
            served_by: failover.and(served_by).map(|placement| placement.name.as_str()),
            failover_reason: failover.map(|reason| reason.as_str()),
            retries: attempts.map_or(0, |attempts| attempts.retries),
            status: self.status,
            duration_ms: ((clock::now_ms() - self.started_at_ms) * 1000.0).round() / 1000.0,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            outcome: self.outcome,
            code: self.failure.as_ref().map(|(code, _)| code.code),
            cause: self.failure.as_ref().and_then(|(_, cause)| cause.as_deref()),
        });
    }
    // #endregion end
}

impl Drop for Exchange {
    /// A request whose handler panics is lost; its line in the log is not, and its connection hears of it.
    fn drop(&mut self) {
        if self.is_logged || !std::thread::panicking() {
            return;
        }
        if !self.head_arrived {
            self.status = errors::ROUTER_FAULT.status;
        }
        self.failure = Some((&errors::ROUTER_FAULT, Some("panic".into())));
        if let Some(client) = &self.client {
            client.set_fault(&self.request_id);
        }
        self.log();
    }
}

fn client_state(session: &Session) -> Option<Arc<ClientState>> {
    let stream = session.as_http1()?.stream();
    let fenced = (**stream).as_any().downcast_ref::<Fenced>()?;
    Some(fenced.state.clone())
}
