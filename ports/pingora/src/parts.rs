//! What every request meets, and what follows the table: made once, and connected to each other.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use crate::access_log::{AccessLog, EntryListener};
use crate::cell_connection::CellLimits;
use crate::clock;
use crate::events::{Events, RouterEvent};
use crate::health_checker::{HealthChecker, HealthListener};
use crate::logger::{Level, Logger};
use crate::metrics::Metrics;
use crate::proxy::ProxyHandler;
use crate::resilience::{BreakerListener, Resilience};
use crate::routing::route;
use crate::settings::Settings;
use crate::table_store::TableStore;
use crate::tasks::spawn_restarting;
use crate::upstreams::Upstreams;

/// How long a cell may take nothing of an upload that waits for it, in milliseconds.
const STALLED_TIMEOUT_MS: f64 = 12_000.0;

pub struct Parts {
    pub store: Arc<TableStore>,
    pub events: Arc<Events>,
    pub health: Arc<HealthChecker>,
    pub resilience: Arc<Resilience>,
    pub metrics: Arc<Metrics>,
    pub access_log: AccessLog,
    upstreams: Arc<Upstreams>,
}

impl Parts {
    pub fn new(settings: &Settings, logger: &Logger) -> Self {
        let limits = CellLimits {
            head_timeout_ms: settings.head_timeout_ms,
            body_idle_timeout_ms: settings.body_idle_timeout_ms,
            stalled_timeout_ms: STALLED_TIMEOUT_MS,
        };
        let upstreams = Arc::new(Upstreams::new(limits, settings.front));
        let events = Arc::new(Events::default());
        let health = Arc::new(HealthChecker::new(logger.clone(), health_listener(logger, &events)));
        let asked = health.clone();
        let is_healthy = Arc::new(move |placement: &str| asked.is_healthy(placement));
        let resilience = Arc::new(Resilience::new(is_healthy, breaker_listener(logger, &events)));
        let metrics = Arc::new(Metrics::default());
        let (counts, shows) = (metrics.clone(), events.clone());
        let listeners: Vec<EntryListener> =
            vec![Arc::new(move |entry| counts.request_ended(entry)), Arc::new(move |entry| shows.request_ended(entry))];
        let access_log = AccessLog::new(logger.clone(), listeners);
        let parts = Parts { store: Arc::default(), events, health, resilience, metrics, access_log, upstreams };
        parts.follow_the_table();
        parts.run_in_background(logger);
        parts
    }

    pub fn handler(&self, stopping: &watch::Receiver<bool>) -> ProxyHandler {
        ProxyHandler {
            store: self.store.clone(),
            upstreams: self.upstreams.clone(),
            resilience: self.resilience.clone(),
            metrics: self.metrics.clone(),
            access_log: self.access_log.clone(),
            stopping: stopping.clone(),
            route,
        }
    }

    fn follow_the_table(&self) {
        let (upstreams, events) = (self.upstreams.clone(), self.events.clone());
        let (health, resilience) = (self.health.clone(), self.resilience.clone());
        self.store.subscribe(move |snapshot| {
            let table = &snapshot.table;
            resilience.update(table, clock::now_ms());
            health.update(table);
            let urls: HashSet<&str> = table.placements.values().map(|each| each.endpoint.url.as_str()).collect();
            upstreams.retain_only(&urls);
            events.emit(&RouterEvent::Table { version: table.version.clone(), sequence: snapshot.sequence });
        });
    }

    fn run_in_background(&self, logger: &Logger) {
        let upstreams = self.upstreams.clone();
        spawn_restarting("cell-watch", logger.clone(), move || {
            let upstreams = upstreams.clone();
            async move { upstreams.watch().await }
        });
        let events = self.events.clone();
        spawn_restarting("events", logger.clone(), move || {
            let events = events.clone();
            async move { events.beat().await }
        });
    }
}

fn health_listener(logger: &Logger, events: &Arc<Events>) -> HealthListener {
    let (logger, events) = (logger.clone(), events.clone());
    Arc::new(move |placement, to, from| {
        let (to, from) = (to.kind(), from.kind());
        logger.log(Level::Warn, &json!({ "event": "health-changed", "placement": placement, "to": to, "from": from }));
        events.emit(&RouterEvent::Health { placement: placement.to_owned(), to, from });
    })
}

fn breaker_listener(logger: &Logger, events: &Arc<Events>) -> BreakerListener {
    let (logger, events) = (logger.clone(), events.clone());
    Arc::new(move |placement, to, from| {
        let (to, from) = (to.kind(), from.kind());
        logger.log(Level::Warn, &json!({ "event": "breaker-changed", "placement": placement, "to": to, "from": from }));
        events.emit(&RouterEvent::Breaker { placement: placement.to_owned(), to, from });
    })
}
