//! The connection of a client, lent to the engine for one request. When the engine lets go, in whatever way, it comes home to
//! `client_connection.rs`: after an error, and after a panic, too. So the engine never decides how a connection ends.

use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client_io::ClientIo;
use crate::client_state::ClientState;

/// Where a connection comes back to.
pub type Home = Arc<Mutex<Option<Box<ClientIo>>>>;

/// The connection, lent to the engine for one request.
#[derive(Debug)]
pub struct Fenced {
    io: Option<Box<ClientIo>>,
    home: Home,
    pub state: Arc<ClientState>,
    digest: Arc<SocketDigest>,
}

impl Fenced {
    pub fn lend(io: Box<ClientIo>, home: &Home) -> Self {
        let (state, digest) = (io.state.clone(), io.digest.clone());
        Fenced { io: Some(io), home: home.clone(), state, digest }
    }

    fn io(&mut self) -> io::Result<&mut ClientIo> {
        self.io.as_deref_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        *self.home.lock() = self.io.take();
    }
}

impl AsyncRead for Fenced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_body(cx, out)
    }
}

impl AsyncWrite for Fenced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_send(cx)
    }

    /// The end of the connection is not the engine's to decide.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[async_trait]
impl Shutdown for Fenced {
    async fn shutdown(&mut self) {}
}

impl UniqueID for Fenced {
    fn id(&self) -> UniqueIDType {
        self.io.as_ref().map_or(-1, |io| io.tcp.as_raw_fd())
    }
}

impl Ssl for Fenced {}
impl Peek for Fenced {}

impl GetTimingDigest for Fenced {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Fenced {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Fenced {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.digest.clone())
    }
}
