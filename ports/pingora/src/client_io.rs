//! One client's connection as the engine may see it: the body of the request under way, and not a byte more. What the client
//! has sent beyond it waits here, so pipelined requests keep their turn. The engine borrows the connection for one request
//! (`Fenced`); when it lets go, in whatever way, the connection comes home to `client_connection.rs`.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use http::HeaderValue;
use memchr::memmem;
use parking_lot::Mutex;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::clock;
use crate::fence::{Fence, Framing};

/// With more bytes ahead of their turn, the client is not read. Fewer are no burden, and its leaving is noticed at once.
const MAX_HELD_BYTES: usize = 64 * 1024;
/// The engine writes a head and its body apart: up to this size they go out together.
const MAX_TOGETHER_BYTES: usize = 16 * 1024;
/// From the first byte of a request to the end of its body: the longest upload.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// How long nothing may move while a client leaves written bytes unread; twice as long where it still takes some.
const STALLED_TIMEOUT: Duration = Duration::from_secs(75);
/// What goes out at once to a client that reads slowly: with less, a pause between two writes would look like a stall.
const READ_BYTES: usize = 4096;

/// What becomes of the connection after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// The response is not whole: only a broken connection cannot be mistaken for an end.
    Cut,
    /// The same to an HTTP/1.0 client, to which an end would be the end of the body: only a reset says that it was cut.
    Reset,
    /// The response said that it is the last one.
    Close,
    Keep,
}

/// What the handler of a request and its connection tell each other.
#[derive(Debug, Default)]
pub struct ClientState {
    ending: AtomicU8,
    /// The client leaves written bytes unread.
    blocked: AtomicBool,
    /// When it last took some, in milliseconds.
    took_at_ms: AtomicU64,
    /// The router itself says `100 Continue`: one that comes from the cell goes no further.
    says_continue: AtomicBool,
    /// When the cell made its response: the engine writes its own time over it.
    date: Mutex<Option<HeaderValue>>,
    /// Id of a request whose handler has panicked.
    fault: Mutex<Option<String>>,
}

impl ClientState {
    pub fn begin(&self) {
        self.set_ending(Ending::Cut);
        *self.fault.lock() = None;
        *self.date.lock() = None;
    }

    pub fn set_ending(&self, ending: Ending) {
        self.ending.store(ending as u8, Ordering::Release);
    }

    pub fn ending(&self) -> Ending {
        match self.ending.load(Ordering::Acquire) {
            each if each == Ending::Keep as u8 => Ending::Keep,
            each if each == Ending::Close as u8 => Ending::Close,
            each if each == Ending::Reset as u8 => Ending::Reset,
            _ => Ending::Cut,
        }
    }

    pub fn set_says_continue(&self, says: bool) {
        self.says_continue.store(says, Ordering::Release);
    }

    pub fn set_date(&self, date: HeaderValue) {
        *self.date.lock() = Some(date);
    }

    pub fn set_fault(&self, request_id: &str) {
        *self.fault.lock() = Some(request_id.to_owned());
    }

    pub fn take_fault(&self) -> Option<String> {
        self.fault.lock().take()
    }

    /// The moment from which silence of the cell counts, as far as the client is concerned; `None` while it reads nothing.
    pub fn reads_since_ms(&self) -> Option<f64> {
        let blocked = self.blocked.load(Ordering::Acquire);
        (!blocked).then(|| self.took_at_ms.load(Ordering::Acquire) as f64)
    }

    fn set_blocked(&self, blocked: bool) {
        if self.blocked.swap(blocked, Ordering::AcqRel) && !blocked {
            self.took_at_ms.store(clock::now_ms() as u64, Ordering::Release);
        }
    }
}

#[derive(Debug)]
pub struct ClientIo {
    tcp: TcpStream,
    digest: Arc<SocketDigest>,
    pub state: Arc<ClientState>,
    /// Came from the client, and is still to be read.
    pub held: BytesMut,
    /// On its way to the client.
    out: BytesMut,
    fence: Fence,
    /// Bytes of the response so far, those that wait included.
    responded: u64,
    /// The final response has begun.
    is_final: bool,
    request_ends_at: Instant,
    request_timer: Option<Pin<Box<Sleep>>>,
    stall_timer: Option<Pin<Box<Sleep>>>,
}

impl ClientIo {
    pub fn new(tcp: TcpStream, digest: Arc<SocketDigest>) -> Self {
        ClientIo {
            tcp,
            digest,
            state: Arc::default(),
            held: BytesMut::new(),
            out: BytesMut::new(),
            fence: Fence::new(Framing::None),
            responded: 0,
            is_final: false,
            request_ends_at: Instant::now(),
            request_timer: None,
            stall_timer: None,
        }
    }

    /// Begins a request whose head has been read: its body may be read from now on.
    pub fn begin(&mut self, framing: Framing, began_at: Instant) {
        self.fence = Fence::new(framing);
        self.responded = 0;
        self.is_final = false;
        self.request_ends_at = began_at + REQUEST_TIMEOUT;
        self.request_timer = None;
        self.state.begin();
    }

    /// Whether the whole request has been read.
    pub fn is_request_done(&self) -> bool {
        self.fence.is_done()
    }

    pub fn has_responded(&self) -> bool {
        self.responded > 0
    }

    /// Reads more of what comes next. False at the end of the connection.
    pub async fn read_more(&mut self) -> bool {
        self.held.reserve(READ_BYTES);
        matches!(self.tcp.read_buf(&mut self.held).await, Ok(n) if n > 0)
    }

    /// Writes what waits, and `bytes` after it.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.out);
        self.tcp.write_all(&waiting).await?;
        self.tcp.write_all(bytes).await
    }

    pub async fn end_of_output(&mut self) -> io::Result<()> {
        self.tcp.shutdown().await
    }

    /// Closes the connection with a reset.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.tcp).poll_write(cx, &self.out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    self.out.advance(n);
                    self.stall_timer = None;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_stalled(cx),
            }
        }
        self.state.set_blocked(false);
        Poll::Ready(Ok(()))
    }

    /// The client takes nothing: an error once that has lasted too long.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.set_blocked(true);
        let timer = self.stall_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED_TIMEOUT)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// The body does not come: an error once the whole request has taken too long.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ends_at = self.request_ends_at;
        let timer = self.request_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends_at)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    // #region read
    fn poll_body(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // The engine waits: what waits for a companion goes out alone, so a slow stream's head goes at once.
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            if self.fence.is_done() {
                // Behind the fence: only the client's leaving is told.
                if self.held.len() >= MAX_HELD_BYTES {
                    return Poll::Pending;
                }
            } else if !self.held.is_empty() {
                let most = out.remaining().min(self.held.len());
                let taken = self.fence.take(&self.held[..most])?;
                out.put_slice(&self.held[..taken]);
                self.held.advance(taken);
                return Poll::Ready(Ok(()));
            } else if self.fence.length_left() >= out.remaining() as u64 {
                // The bulk of an upload: straight into the engine's buffer.
                return self.poll_bulk(cx, out);
            }
            self.held.reserve(READ_BYTES);
            let read = {
                let mut reading = std::pin::pin!(self.tcp.read_buf(&mut self.held));
                reading.as_mut().poll(cx)
            };
            match read {
                Poll::Pending if self.fence.is_done() => return Poll::Pending,
                Poll::Pending => return self.poll_overdue(cx),
                // Its requests are still to be answered.
                Poll::Ready(Ok(0)) if self.fence.is_done() && !self.held.is_empty() => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_bulk(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        match Pin::new(&mut self.tcp).poll_read(cx, out) {
            Poll::Pending => self.poll_overdue(cx),
            Poll::Ready(Ok(())) => {
                self.fence.take(&out.filled()[before..])?;
                Poll::Ready(Ok(()))
            }
            failed => failed,
        }
    }
    // #endregion read

    /// Puts the cell's `Date` back into the head of its response, which the engine hands over in one piece.
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1>
    fn poll_write_head(&mut self, cx: &mut Context<'_>, head: &[u8], date: &[u8]) -> Poll<io::Result<usize>> {
        let Some(at) = date_in(head) else { return self.poll_write(cx, head) };
        let mended = [&head[..at.start], date, &head[at.end..]].concat();
        self.out.extend_from_slice(&mended);
        self.responded += mended.len() as u64;
        Poll::Ready(Ok(head.len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.is_final {
            // The engine can drop all interim responses or none; it hands each over in one piece.
            self.is_final = !bytes.starts_with(b"HTTP/1.1 1");
            if bytes.starts_with(b"HTTP/1.1 100 ") && !self.state.says_continue.load(Ordering::Acquire) {
                return Poll::Ready(Ok(bytes.len()));
            }
            let date = if self.is_final { self.state.date.lock().take() } else { None };
            if let Some(date) = date {
                return self.poll_write_head(cx, bytes, date.as_bytes());
            }
        }
        if self.out.len() + bytes.len() > MAX_TOGETHER_BYTES {
            ready!(self.poll_send(cx))?;
        }
        let now = &bytes[..bytes.len().min(MAX_TOGETHER_BYTES)];
        self.out.extend_from_slice(now);
        self.responded += now.len() as u64;
        if bytes.len() >= MAX_TOGETHER_BYTES {
            // Nothing small follows that it could wait for.
            if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(now.len()))
    }
}

/// The value of `Date` in a head, as the engine writes it.
fn date_in(head: &[u8]) -> Option<Range<usize>> {
    let name = memmem::find(head, b"\r\nDate: ").or_else(|| memmem::find(head, b"\r\ndate: "))?;
    let begin = name + b"\r\nDate: ".len();
    let length = memmem::find(&head[begin..], b"\r\n")?;
    Some(begin..begin + length)
}

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
        use std::os::fd::AsRawFd;
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
