//! One client's connection as the engine may see it: the body of the request under way, and not a byte more. What the client
//! has sent beyond it waits here, so pipelined requests keep their turn. The engine borrows the connection for one request
//! (`fenced.rs`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pingora_core::protocols::SocketDigest;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};

use crate::client_state::ClientState;
use crate::fence::{Fence, Framing};
use crate::head_mender::{HeadMender, Mended};

/// With more bytes ahead of their turn, the client is not read. Fewer are no burden, and its leaving is noticed at once.
const MAX_HELD_BYTES: usize = 64 * 1024;
/// The engine writes a head and its body apart: up to this size they go out together.
const MAX_TOGETHER_BYTES: usize = 16 * 1024;
/// From the first byte of a request to the end of its body: the longest upload.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// How long nothing may move while a client leaves written bytes unread; twice as long where it still takes some.
const STALLED_TIMEOUT: Duration = Duration::from_secs(75);
/// Room for a head or a small body.
const READ_BYTES: usize = 4096;

#[derive(Debug)]
pub struct ClientIo {
    pub tcp: TcpStream,
    pub digest: Arc<SocketDigest>,
    pub state: Arc<ClientState>,
    /// Came from the client, and is still to be read.
    pub held: BytesMut,
    /// On its way to the client.
    out: BytesMut,
    fence: Fence,
    /// Bytes of the response so far, those that wait included.
    responded: u64,
    mender: HeadMender,
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
            mender: HeadMender::default(),
            request_ends_at: Instant::now(),
            request_timer: None,
            stall_timer: None,
        }
    }

    /// Begins a request whose head has been read: its body may be read from now on.
    pub fn begin(&mut self, framing: Framing, began_at: Instant) {
        self.fence = Fence::new(framing);
        self.responded = 0;
        self.mender = HeadMender::default();
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

    /// Takes back a response of which nothing has gone out yet.
    pub fn take_response_back(&mut self) {
        if self.out.len() as u64 == self.responded {
            self.out.clear();
            self.responded = 0;
        }
    }

    /// Reads more of what comes next. False at the end of the connection.
    pub async fn read_more(&mut self) -> bool {
        self.held.reserve(READ_BYTES);
        matches!(self.tcp.read_buf(&mut self.held).await, Ok(n) if n > 0)
    }

    /// Writes what waits, and `bytes` after it. An error once that has taken too long.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.out);
        if waiting.is_empty() && bytes.is_empty() {
            return Ok(());
        }
        let sending = async {
            self.tcp.write_all(&waiting).await?;
            self.tcp.write_all(bytes).await
        };
        timeout(STALLED_TIMEOUT, sending).await?
    }

    pub async fn end_of_output(&mut self) -> io::Result<()> {
        self.tcp.shutdown().await
    }

    /// Closes the connection with a reset.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
    }

    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
    pub fn poll_body(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.mender.mend(bytes, &self.state) {
            Mended::AsItIs => {}
            Mended::Dropped => return Poll::Ready(Ok(bytes.len())),
            Mended::Head(head) => {
                self.out.extend_from_slice(&head);
                self.responded += head.len() as u64;
                return Poll::Ready(Ok(bytes.len()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let _client = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("connected");
        let (tcp, _) = listener.accept().await.expect("accepted");
        let digest = Arc::new(SocketDigest::from_raw_fd(tcp.as_raw_fd()));
        let mut io = ClientIo::new(tcp, digest);
        // More than the sockets of both sides take.
        let bytes = vec![0; 64 * 1024 * 1024];
        // From here on, time moves whenever everybody waits.
        tokio::time::pause();
        let sent = timeout(2 * STALLED_TIMEOUT, io.send(&bytes)).await.expect("in time");
        assert_eq!(sent.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
    }
}
