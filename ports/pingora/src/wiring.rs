//! What is connected to what, by stage, and in which order it starts and stops. Holds no rule of its own.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::http_proxy;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access_log::{AccessLog, EntryListener};
use crate::admin::{AdminServer, json_response, text_response};
use crate::cell_connection::CellLimits;
use crate::clock;
use crate::events::{Events, RouterEvent};
use crate::file_source::FileSource;
use crate::health_checker::HealthChecker;
use crate::logger::{Level, Logger};
use crate::metrics::Metrics;
use crate::overview::overview;
use crate::proxy::ProxyHandler;
use crate::resilience::Resilience;
use crate::routing::route;
use crate::routing_table::{Rules, static_routing_table};
use crate::server::DataServer;
use crate::settings::{Settings, Stage};
use crate::snapshot_source::{SnapshotSource, SnapshotSourceSettings};
use crate::stock_server;
use crate::table_store::TableStore;
use crate::tasks::spawn_restarting;
use crate::upstreams::Upstreams;

/// How long requests under way may take to finish after a signal to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long those that write to the disk or to the control plane may take after that.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the router until a signal has stopped it. The error is one sentence that says what to change.
pub async fn run(settings: &Settings, logger: &Logger) -> Result<(), String> {
    let signals = Signals::listen().map_err(cannot_start)?;
    let (stop, stopping) = watch::channel(false);
    let parts = Parts::new(settings, logger);
    let sources = Sources::start(settings, logger, &parts, &stopping).await?;
    let accepting = Arc::new(AtomicBool::new(false));
    let admin_url = match settings.stage {
        Stage::M1 => None,
        _ => Some(serve_admin(settings, logger, &parts, &sources, &accepting).await?),
    };
    let (url, serving) = serve_clients(settings, &parts, &stopping).await?;
    accepting.store(true, Ordering::Release);
    let mut ready = json!({ "event": "ready", "url": url });
    if let Some(admin_url) = admin_url {
        ready["adminUrl"] = json!(admin_url);
    }
    logger.write(&ready);

    let signal = signals.until_stop(sources.file.as_deref()).await;
    logger.log(Level::Info, &json!({ "event": "stopping", "signal": signal }));
    accepting.store(false, Ordering::Release);
    let _ = stop.send(true);
    parts.health.close();
    parts.events.close();
    let _ = serving.await;
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, sources.close()).await;
    logger.log(Level::Info, &json!({ "event": "stopped" }));
    Ok(())
}

/// What every request meets, and what follows the table.
struct Parts {
    store: Arc<TableStore>,
    upstreams: Arc<Upstreams>,
    events: Arc<Events>,
    health: Arc<HealthChecker>,
    resilience: Arc<Resilience>,
    metrics: Arc<Metrics>,
    access_log: AccessLog,
}

impl Parts {
    fn new(settings: &Settings, logger: &Logger) -> Self {
        let limits = CellLimits {
            head_timeout_ms: settings.head_timeout_ms,
            body_idle_timeout_ms: settings.body_idle_timeout_ms,
            stalled_timeout_ms: 12_000.0,
        };
        let upstreams = Arc::new(Upstreams::new(limits, settings.front));
        let watched = upstreams.clone();
        spawn_restarting("cell-watch", logger.clone(), move || {
            let watched = watched.clone();
            async move { watched.watch().await }
        });
        let events = Arc::new(Events::default());
        let beating = events.clone();
        spawn_restarting("events", logger.clone(), move || {
            let beating = beating.clone();
            async move { beating.beat().await }
        });
        let (health, resilience) = resilience_for(logger, &events);
        let metrics = Arc::new(Metrics::default());
        let (counting, showing) = (metrics.clone(), events.clone());
        let listeners: Vec<EntryListener> = vec![
            Arc::new(move |entry| counting.request_ended(entry)),
            Arc::new(move |entry| showing.request_ended(entry)),
        ];
        let access_log = AccessLog::new(logger.clone(), listeners);
        let store = Arc::new(TableStore::default());
        let parts = Parts { store, upstreams, events, health, resilience, metrics, access_log };
        parts.follow_the_table();
        parts
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

    fn handler(&self, stopping: &watch::Receiver<bool>) -> ProxyHandler {
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
}

/// The resilience side of the wiring: who hears of changes.
fn resilience_for(logger: &Logger, events: &Arc<Events>) -> (Arc<HealthChecker>, Arc<Resilience>) {
    let (log, tell) = (logger.clone(), events.clone());
    let on_health = Arc::new(
        move |placement: &str, to: crate::health_state::HealthState, from: crate::health_state::HealthState| {
            let (to, from) = (to.kind(), from.kind());
            log.log(Level::Warn, &json!({ "event": "health-changed", "placement": placement, "to": to, "from": from }));
            tell.emit(&RouterEvent::Health { placement: placement.to_owned(), to, from });
        },
    );
    let health = Arc::new(HealthChecker::new(logger.clone(), on_health));
    let (log, tell, asked) = (logger.clone(), events.clone(), health.clone());
    let on_breaker = Arc::new(
        move |placement: &str, to: crate::circuit_breaker::BreakerState, from: crate::circuit_breaker::BreakerState| {
            let (to, from) = (to.kind(), from.kind());
            log.log(
                Level::Warn,
                &json!({ "event": "breaker-changed", "placement": placement, "to": to, "from": from }),
            );
            tell.emit(&RouterEvent::Breaker { placement: placement.to_owned(), to, from });
        },
    );
    let is_healthy = Arc::new(move |placement: &str| asked.is_healthy(placement));
    (health, Arc::new(Resilience::new(is_healthy, on_breaker)))
}

/// Where the table comes from: built in, a file, or a control plane with a file to begin with.
struct Sources {
    file: Option<Arc<FileSource>>,
    pushed: Option<Arc<SnapshotSource>>,
}

impl Sources {
    async fn start(
        settings: &Settings,
        logger: &Logger,
        parts: &Parts,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Self, String> {
        if settings.stage == Stage::M1 {
            parts.store.swap(Arc::new(static_routing_table(&settings.cells)));
            return Ok(Sources { file: None, pushed: None });
        }
        let rules = Rules { resilience: settings.stage >= Stage::M4 };
        let file = FileSource::new(settings.routing_file.clone(), rules, parts.store.clone(), logger.clone());
        let Some(url) = settings.control_plane_url.clone() else {
            file.start().await?;
            return Ok(Sources { file: Some(file), pushed: None });
        };
        let source = SnapshotSourceSettings {
            url,
            state_dir: settings.state_dir.clone(),
            token_file: settings.control_plane_token_file.clone(),
            token: settings.control_plane_token.clone(),
            router_id: settings.router_id.clone(),
            max_message_bytes: settings.max_message_bytes,
            rules,
        };
        let pushed = SnapshotSource::new(source, file.clone(), parts.store.clone(), logger.clone());
        pushed.start(stopping.clone()).await;
        Ok(Sources { file: Some(file), pushed: Some(pushed) })
    }

    fn status(&self) -> Value {
        let pushed = self.pushed.as_ref().map(|pushed| json!(pushed.status()));
        pushed.or_else(|| self.file.as_ref().map(|file| json!(file.status()))).unwrap_or_else(|| json!({}))
    }

    async fn close(self) {
        if let Some(file) = &self.file {
            file.close().await;
        }
        if let Some(pushed) = &self.pushed {
            pushed.close().await;
        }
    }

    fn clone_for_admin(&self) -> Sources {
        Sources { file: self.file.clone(), pushed: self.pushed.clone() }
    }
}

async fn serve_admin(
    settings: &Settings,
    logger: &Logger,
    parts: &Parts,
    sources: &Sources,
    accepting: &Arc<AtomicBool>,
) -> Result<String, String> {
    let is_m4 = settings.stage >= Stage::M4;
    let mut admin = AdminServer::new(is_m4.then(|| parts.events.clone()));
    admin.get("/healthz", || json_response(StatusCode::OK, &json!({ "status": "ok" })));
    let (accepting, store) = (accepting.clone(), parts.store.clone());
    admin.get("/readyz", move || {
        let ready = accepting.load(Ordering::Acquire) && store.current().is_some();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json_response(status, &json!({ "ready": ready }))
    });
    let (sources, store) = (sources.clone_for_admin(), parts.store.clone());
    admin.get("/debug/config", move || {
        let mut status = sources.status();
        if let (Some(fields), Some(snapshot)) = (status.as_object_mut(), store.current()) {
            fields.extend(overview(&snapshot.table));
        }
        json_response(StatusCode::OK, &status)
    });
    if is_m4 {
        let (metrics, resilience) = (parts.metrics.clone(), parts.resilience.clone());
        let logger = logger.clone();
        admin.get("/metrics", move || {
            let text = metrics.text(&resilience, logger.dropped(), clock::now_ms());
            text_response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
        });
    }
    let cannot_bind = |error| cannot_listen(&format!("127.0.0.1:{}", settings.admin_port), error);
    let listener = AdminServer::bind(settings.admin_port).await.map_err(cannot_bind)?;
    let address = listener.local_addr().map_err(cannot_start)?;
    let (admin, listener) = (Arc::new(admin), Arc::new(listener));
    spawn_restarting("admin", logger.clone(), move || admin.clone().serve(listener.clone()));
    Ok(format!("http://{address}"))
}

/// The data port, by the front or by the engine: its URL, and the task that ends when the last request has.
async fn serve_clients(
    settings: &Settings,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> Result<(String, JoinHandle<()>), String> {
    let conf = Arc::new(ServerConf {
        threads: settings.threads,
        work_stealing: settings.threads > 1,
        // The loop around attempts is ours, and ends by its own rules.
        max_retries: 1000,
        upstream_keepalive_pool_size: 4096,
        ..ServerConf::default()
    });
    let handler = parts.handler(stopping);
    let address = SocketAddr::new(settings.host, settings.port);
    if settings.front {
        let proxy = Arc::new(http_proxy(&conf, handler));
        let server = DataServer::bind(address, proxy, parts.access_log.clone(), settings.keep_alive_timeout);
        let server = server.map_err(|error| cannot_listen(&address.to_string(), error))?;
        let url = format!("http://{}", server.local_addr().map_err(cannot_start)?);
        return Ok((url, tokio::spawn(server.run(stopping.clone(), DRAIN))));
    }
    let free = stock_server::free_address(address);
    let address = free.map_err(|error| cannot_listen(&address.to_string(), error))?;
    let serving = stock_server::run(conf, handler, parts.metrics.clone(), address, stopping.clone(), DRAIN);
    let serving = tokio::spawn(serving);
    stock_server::until_listening(address).await.map_err(cannot_start)?;
    Ok((format!("http://{address}"), serving))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From the first moment on: a SIGHUP while the router starts must not end it.
    fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads on SIGHUP until a signal says stop.
    async fn until_stop(mut self, file: Option<&FileSource>) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hang_up.recv() => file.into_iter().for_each(FileSource::reload),
            }
        }
    }
}

fn cannot_listen(address: &str, error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("Cannot start: the port of {address} is busy; set PORT or ADMIN_PORT."),
        _ => format!("Cannot start: listening on {address} failed: {error}"),
    }
}

fn cannot_start(error: io::Error) -> String {
    format!("Cannot start: {error}")
}
