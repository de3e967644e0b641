//! One client's connection: its requests are handled one at a time, in the order in which they came. Each head is read here,
//! with a limit in bytes and in time; what passes is handed to the engine as if nothing had been read.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2>

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use futures_util::FutureExt;
use pingora_core::apps::HttpServerApp;
use pingora_core::protocols::http::ServerSession;
use pingora_proxy::HttpProxy;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::access_log::{AccessEntry, AccessLog};
use crate::client_io::ClientIo;
use crate::client_state::Ending;
use crate::errors::{self, ErrorCode};
use crate::fence::Framing;
use crate::fenced::{Fenced, Home};
use crate::head_reader::{HeadBytes, check_head, find_head};
use crate::headers::push_field;
use crate::proxy::ProxyHandler;
use crate::tasks::until_stopped;

/// From the first byte of a request to the end of its head; a client that drips its head in holds a socket.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a refused client may take to read the refusal before its connection is cut.
const LINGER: Duration = Duration::from_secs(1);

pub struct ClientConnection {
    pub proxy: Arc<HttpProxy<ProxyHandler>>,
    pub access_log: AccessLog,
    pub stopping: watch::Receiver<bool>,
    /// How long a connection may be idle between two requests.
    pub keep_alive_timeout: Option<Duration>,
}

enum HeadRead {
    Complete { head: BytesMut, framing: Framing, began_at: Instant },
    Refused(ErrorCode),
    Gone,
}

// #region serve
impl ClientConnection {
    pub async fn serve(self, io: ClientIo) {
        let home: Home = Home::default();
        let mut io = Box::new(io);
        // A client that never says a word gets no longer than one that drips its head in.
        let mut idle_limit = Some(HEAD_TIMEOUT);
        loop {
            let (head, framing, began_at) = match self.read_head(&mut io, idle_limit).await {
                HeadRead::Complete { head, framing, began_at } => (head, framing, began_at),
                HeadRead::Gone => return,
                HeadRead::Refused(code) => {
                    // Of the response before this one, nothing waits.
                    io.begin(Framing::None, Instant::now());
                    return self.refuse(&mut io, code).await;
                }
            };
            idle_limit = self.keep_alive_timeout;
            io.begin(framing, began_at);
            let state = io.state.clone();
            let mut session = ServerSession::new_http1(Box::new(Fenced::lend(io, &home)));
            session.set_pipelined_prefix(head);
            let handled = self.proxy.process_new_http(session, &self.stopping);
            // A panic costs this request, and no other one.
            let panicked = AssertUnwindSafe(handled).catch_unwind().await.is_err();
            let Some(back) = home.lock().take() else { return };
            io = back;
            if panicked && !io.has_responded() {
                let request_id = state.take_fault().unwrap_or_else(|| Uuid::new_v4().to_string());
                return respond_and_close(&mut io, &errors::ROUTER_FAULT, &request_id).await;
            }
            if !panicked && !state.is_seen() {
                // What passed here and not the engine's own reader: it is refused in our words, unless the engine was faster.
                io.take_response_back();
                return self.refuse(&mut io, &errors::MALFORMED_REQUEST).await;
            }
            match state.ending() {
                Ending::Cut => return,
                Ending::Reset => return io.reset(),
                // What is left of a body must not be read as a request.
                Ending::Keep if io.is_request_done() && io.send(b"").await.is_ok() => {}
                Ending::Keep | Ending::Close => return close(&mut io).await,
            }
        }
    }
    // #endregion serve

    /// Refuses what nobody has read as a request.
    async fn refuse(&self, io: &mut ClientIo, code: ErrorCode) {
        let request_id = Uuid::new_v4().to_string();
        self.access_log.record(&AccessEntry::unread(&request_id, code.status, code.code));
        if io.has_responded() {
            return close(io).await;
        }
        respond_and_close(io, code, &request_id).await;
    }

    // #region read-head
    async fn read_head(&self, io: &mut ClientIo, idle_limit: Option<Duration>) -> HeadRead {
        if io.held.is_empty() {
            // A thousand idle connections hold no buffers.
            io.held = BytesMut::new();
            let first = async {
                match idle_limit {
                    Some(limit) => timeout(limit, io.read_more()).await.unwrap_or(false),
                    None => io.read_more().await,
                }
            };
            tokio::select! {
                biased;
                has_come = first => if !has_come { return HeadRead::Gone },
                () = until_stopped(&self.stopping) => return HeadRead::Gone,
            }
        }
        let began_at = Instant::now();
        let head = timeout(HEAD_TIMEOUT, complete_head(io)).await;
        match head.unwrap_or(Err(&errors::REQUEST_TIMEOUT)) {
            Ok(Some((head, framing))) => HeadRead::Complete { head, framing, began_at },
            Ok(None) => HeadRead::Gone,
            Err(code) => HeadRead::Refused(code),
        }
    }
}

/// `None` when the client has left in the middle.
async fn complete_head(io: &mut ClientIo) -> Result<Option<(BytesMut, Framing)>, ErrorCode> {
    loop {
        // Empty lines before a request are no part of it: https://www.rfc-editor.org/rfc/rfc9112#section-2.2
        while io.held.starts_with(b"\r\n") {
            drop(io.held.split_to(2));
        }
        if let HeadBytes::Whole(end) = find_head(&io.held)? {
            let checked = check_head(&io.held[..end])?;
            let head = io.held.split_to(end);
            return Ok(Some((checked.rewritten.unwrap_or(head), checked.framing)));
        }
        if !io.read_more().await {
            return Ok(None);
        }
    }
}
// #endregion read-head

/// Responds on the bare connection and closes it: nothing that follows on it can be trusted.
async fn respond_and_close(io: &mut ClientIo, code: ErrorCode, request_id: &str) {
    let body = code.body(request_id);
    let mut head = format!("HTTP/1.1 {} {}\r\n", code.status, code.title);
    push_field(&mut head, "Date", &httpdate::fmt_http_date(SystemTime::now()));
    push_field(&mut head, "Content-Type", "application/problem+json");
    push_field(&mut head, "Content-Length", &body.len().to_string());
    push_field(&mut head, "X-Request-Id", request_id);
    push_field(&mut head, "Connection", "close");
    let response = format!("{head}\r\n{body}");
    if let Ok(Ok(())) = timeout(LINGER, io.send(response.as_bytes())).await {
        close(io).await;
    }
}

/// Closing at once, with unread bytes in the socket, would reset the connection and could take the response with it.
async fn close(io: &mut ClientIo) {
    let rest = async {
        if io.send(b"").await.is_ok() && io.end_of_output().await.is_ok() {
            while io.read_more().await {
                io.held.clear();
            }
        }
    };
    let _ = timeout(LINGER, rest).await;
}
