//! One JSON line for each request, when it has ended. Owns the line's fields; `logger.rs` owns the writing.

use std::sync::Arc;

use serde::Serialize;

use crate::logger::{Level, Logger};

/// How a request ended: whole, cut by the client, or cut by the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Complete,
    ClientAborted,
    UpstreamFailed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Complete => "complete",
            Outcome::ClientAborted => "client-aborted",
            Outcome::UpstreamFailed => "upstream-failed",
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessEntry<'a> {
    pub event: &'static str,
    pub request_id: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<&'a str>,
    /// Placement that served, where it is another than the one routed to, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Status sent to the client; 0 when the client left before there was one.
    pub status: u16,
    pub duration_ms: f64,
    /// Bytes of the request's body that went to the cell.
    pub bytes_in: u64,
    /// Bytes of the response's body that came from the cell.
    pub bytes_out: u64,
    pub outcome: Outcome,
    /// Error code of a response that the router made itself, and the machine-readable cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl<'a> AccessEntry<'a> {
    /// What is known of a request that was refused before it could be read: no method and no path can be trusted.
    pub fn unread(request_id: &'a str, status: u16, code: &'static str) -> Self {
        AccessEntry {
            event: "request",
            request_id,
            method: "",
            path: "",
            routing_key: None,
            placement: None,
            reason: None,
            upstream: None,
            served_by: None,
            failover_reason: None,
            retries: 0,
            status,
            duration_ms: 0.0,
            bytes_in: 0,
            bytes_out: 0,
            outcome: Outcome::Complete,
            code: Some(code),
            cause: None,
        }
    }
}

pub type EntryListener = Arc<dyn Fn(&AccessEntry<'_>) + Send + Sync>;

#[derive(Clone)]
pub struct AccessLog {
    logger: Logger,
    listeners: Arc<[EntryListener]>,
}

impl AccessLog {
    /// `listeners` are told of every entry too, such as metrics: one place knows how each request ended.
    pub fn new(logger: Logger, listeners: Vec<EntryListener>) -> Self {
        AccessLog { logger, listeners: listeners.into() }
    }

    pub fn record(&self, entry: &AccessEntry<'_>) {
        self.logger.log(Level::Info, entry);
        for listener in self.listeners.iter() {
            listener(entry);
        }
    }
}
