//! In which order the router starts and stops. Holds no rule of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pingora_core::server::configuration::ServerConf;
use pingora_proxy::http_proxy;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::admin::AdminServer;
use crate::file_source::FileSource;
use crate::logger::{Level, Logger};
use crate::operator_routes::operator_routes;
use crate::parts::Parts;
use crate::server::DataServer;
use crate::settings::{Settings, Stage};
use crate::sources::Sources;
use crate::stock_server;
use crate::tasks::spawn_restarting;

/// How long requests under way may take to finish after a signal to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long those that write to the disk or to the control plane may take after that.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the router until a signal has stopped it. The error is one sentence that says what to change.
pub async fn run(settings: &Settings, logger: &Logger) -> Result<(), String> {
    let signals = Signals::listen().map_err(cannot_start)?;
    let (stop, stopping) = watch::channel(false);
    let parts = Parts::new(settings, logger);
    let sources = Sources::start(settings, logger, &parts.store, &stopping).await?;
    let accepting = Arc::new(AtomicBool::new(false));
    let mut ready = json!({ "event": "ready" });
    if settings.stage > Stage::M1 {
        let admin = operator_routes(settings.stage, logger, &parts, &sources, &accepting);
        ready["adminUrl"] = json!(serve_admin(settings.admin_port, logger, admin).await?);
    }
    let (url, serving) = serve_clients(settings, &parts, &stopping).await?;
    ready["url"] = json!(url);
    accepting.store(true, Ordering::Release);
    logger.write(&ready);

    let signal = signals.until_stop(sources.file.as_deref()).await;
    logger.log(Level::Info, &json!({ "event": "stopping", "signal": signal }));
    accepting.store(false, Ordering::Release);
    let _ = stop.send(true);
    parts.health.close();
    parts.events.close();
    let _ = serving.await;
    let _ = timeout(CLOSE_TIMEOUT, sources.close()).await;
    logger.log(Level::Info, &json!({ "event": "stopped" }));
    Ok(())
}

/// The admin port: its URL.
async fn serve_admin(port: u16, logger: &Logger, admin: AdminServer) -> Result<String, String> {
    let cannot_bind = |error| cannot_listen(&format!("127.0.0.1:{port}"), error);
    let listener = AdminServer::bind(port).await.map_err(cannot_bind)?;
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
    let cannot_bind = |error| cannot_listen(&address.to_string(), error);
    if settings.front {
        let proxy = Arc::new(http_proxy(&conf, handler));
        let server = DataServer::bind(address, proxy, parts.access_log.clone(), settings.keep_alive_timeout);
        let server = server.map_err(cannot_bind)?;
        let url = format!("http://{}", server.local_addr().map_err(cannot_start)?);
        return Ok((url, tokio::spawn(server.run(stopping.clone(), DRAIN))));
    }
    let address = stock_server::free_address(address).map_err(cannot_bind)?;
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
