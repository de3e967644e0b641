//! Stock mode: the same handler behind the engine's own listener, to show what the front is for. Only the end of the process
//! is ours.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use pingora_core::server::configuration::ServerConf;
use pingora_core::services::Service as _;
use pingora_proxy::http_proxy_service;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::metrics::Metrics;
use crate::proxy::ProxyHandler;
use crate::tasks::until_stopped;

/// How long the listener may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// The engine does not tell which port it got: a free one is found beforehand.
pub fn free_address(address: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}

/// Serves until `stopping` says so, then lets the requests under way finish, for at most `drain`.
pub async fn run(
    conf: Arc<ServerConf>,
    handler: ProxyHandler,
    metrics: Arc<Metrics>,
    address: SocketAddr,
    stopping: watch::Receiver<bool>,
    drain: Duration,
) {
    let mut service = http_proxy_service(&conf, handler);
    service.add_tcp(&address.to_string());
    let shutdown = stopping.clone();
    let serving = tokio::spawn(async move { service.start_service(None, shutdown, 1).await });
    until_stopped(&stopping).await;
    let until = Instant::now() + drain;
    let _ = timeout(drain, serving).await;
    while metrics.under_way() > 0 && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
}

/// The engine does not tell when it listens either.
pub async fn until_listening(address: SocketAddr) -> io::Result<()> {
    let until = Instant::now() + START_TIMEOUT;
    loop {
        match TcpStream::connect_timeout(&address, START_TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}
