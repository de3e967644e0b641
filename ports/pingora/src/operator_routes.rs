//! What the admin port answers, by stage. How it answers, and to whom, is left to `admin.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use serde_json::json;

use crate::admin::{AdminServer, json_response, text_response};
use crate::clock;
use crate::logger::Logger;
use crate::overview::overview;
use crate::parts::Parts;
use crate::settings::Stage;
use crate::sources::Sources;

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub fn operator_routes(
    stage: Stage,
    logger: &Logger,
    parts: &Parts,
    sources: &Sources,
    accepting: &Arc<AtomicBool>,
) -> AdminServer {
    let is_m4 = stage >= Stage::M4;
    let mut admin = AdminServer::new(is_m4.then(|| parts.events.clone()));
    admin.get("/healthz", || json_response(StatusCode::OK, &json!({ "status": "ok" })));
    let (accepting, store) = (accepting.clone(), parts.store.clone());
    admin.get("/readyz", move || {
        let ready = accepting.load(Ordering::Acquire) && store.current().is_some();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json_response(status, &json!({ "ready": ready }))
    });
    let (sources, store) = (sources.clone(), parts.store.clone());
    admin.get("/debug/config", move || {
        let mut status = sources.status();
        if let (Some(fields), Some(snapshot)) = (status.as_object_mut(), store.current()) {
            fields.extend(overview(&snapshot.table));
        }
        json_response(StatusCode::OK, &status)
    });
    if is_m4 {
        let (metrics, resilience, logger) = (parts.metrics.clone(), parts.resilience.clone(), logger.clone());
        admin.get("/metrics", move || {
            let text = metrics.text(&resilience, logger.dropped(), clock::now_ms());
            text_response(StatusCode::OK, METRICS_TYPE, text)
        });
    }
    admin
}
