//! The listener towards clients in front mode: it accepts, hands each connection to `client_connection.rs`, and stops. What
//! happens to a good request is the handler's business.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::apps::HttpServerApp;
use pingora_core::protocols::SocketDigest;
use pingora_proxy::HttpProxy;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::access_log::AccessLog;
use crate::client_connection::ClientConnection;
use crate::client_io::ClientIo;
use crate::proxy::ProxyHandler;
use crate::tasks::until_stopped;

const BACKLOG: u32 = 1024;
/// For lack of descriptors, say: that is no reason to end, and no reason to spin.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

pub struct DataServer {
    listener: TcpListener,
    proxy: Arc<HttpProxy<ProxyHandler>>,
    access_log: AccessLog,
    keep_alive_timeout: Option<Duration>,
}

impl DataServer {
    pub fn bind(
        address: SocketAddr,
        proxy: Arc<HttpProxy<ProxyHandler>>,
        access_log: AccessLog,
        keep_alive_timeout: Option<Duration>,
    ) -> io::Result<Self> {
        let socket = match address.ip() {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(DataServer { listener: socket.listen(BACKLOG)?, proxy, access_log, keep_alive_timeout })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    // #region drain
    /// Serves until `stopping` says so, then lets the requests under way finish, for at most `drain`.
    pub async fn run(self, stopping: watch::Receiver<bool>, drain: Duration) {
        // Each connection holds an end of this channel: when the last one is gone, `recv` returns.
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((tcp, peer)) => {
                        let connection = ClientConnection {
                            proxy: self.proxy.clone(),
                            access_log: self.access_log.clone(),
                            stopping: stopping.clone(),
                            keep_alive_timeout: self.keep_alive_timeout,
                        };
                        let alive = alive.clone();
                        tokio::spawn(async move {
                            connection.serve(client_io(tcp, peer)).await;
                            drop(alive);
                        });
                    }
                    Err(_) => tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await,
                },
                () = until_stopped(&stopping) => break,
            }
        }
        drop(self.listener);
        self.proxy.http_cleanup().await;
        drop(alive);
        let _ = timeout(drain, all_gone.recv()).await;
    }
    // #endregion drain
}

fn client_io(tcp: TcpStream, peer: SocketAddr) -> ClientIo {
    // Without it, the second of two small writes waits for the client's acknowledgement. A connection that refuses is gone.
    let _ = tcp.set_nodelay(true);
    let digest = SocketDigest::from_raw_fd(tcp.as_raw_fd());
    let _ = digest.peer_addr.set(Some(peer.into()));
    ClientIo::new(tcp, Arc::new(digest))
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
