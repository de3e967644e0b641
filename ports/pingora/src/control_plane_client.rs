//! The router's link to its control plane: connects, says hello, hands on what comes, and comes back when the link ends.
//! Nothing waits for it: the router serves from memory whether this link is up, down, or talking nonsense.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::backoff::{BackoffSettings, next_delay_ms};
use crate::clock;
use crate::control_plane_wire::{self as wire, Socket};
use crate::link_liveness::PING_EVERY_MS;
use crate::link_status::LinkStatus;
use crate::link_watch::LinkWatch;
use crate::logger::{Level, Logger};
use crate::protocol::{CLOSE_GOING_AWAY, CLOSE_NOT_UNDERSTOOD, RouterMessage, close_reason};
use crate::snapshot_receiver::{Apply, Link, Reply, ReplyOutcome, SnapshotReceiver};
use crate::tasks::until_stopped;

/// One second to a minute: a fleet whose control plane comes back spreads over the wait instead of arriving at once.
const RECONNECT: BackoffSettings = BackoffSettings { base_ms: 1000.0, cap_ms: 60_000.0 };
/// A peer that is gone must not hold a closing link.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// What the link needs of those around it.
pub trait LinkOwner: Apply {
    /// Read for each link, so that a token may come later than the router, or change.
    fn read_token(&self) -> Option<String>;
    /// Told of each message whose snapshot has been applied, before the acknowledgement goes out. Must not block.
    fn applied(&self, message: Bytes);
}

pub struct ControlPlaneClient {
    pub router_id: String,
    pub receiver: Arc<SnapshotReceiver>,
    pub owner: Arc<dyn LinkOwner>,
    pub max_message_bytes: usize,
    pub logger: Logger,
    pub status: Arc<LinkStatus>,
    pub stopping: watch::Receiver<bool>,
}

impl ControlPlaneClient {
    // #region reconnect
    pub async fn run(self) {
        let mut failures = 0;
        loop {
            // A link that only connects has proven nothing: a control plane that accepts and falls over would be hammered.
            let proven = self.link().await;
            if *self.stopping.borrow() {
                return;
            }
            failures = if proven { 0 } else { failures };
            let delay_ms = next_delay_ms(failures, &mut fastrand::f64, RECONNECT).round();
            failures += 1;
            let url = self.status.leave().href;
            let cause = self.status.last_error().and_then(|error| error.faults.into_iter().next());
            let line = json!({ "event": "control-plane-lost", "url": url, "cause": cause, "retryInMs": delay_ms });
            self.logger.log(Level::Warn, &line);
            tokio::select! {
                () = sleep(Duration::from_secs_f64(delay_ms / 1000.0)) => {}
                () = until_stopped(&self.stopping) => return,
            }
        }
    }
    // #endregion reconnect

    // #region link
    /// One link from connect to close: whether it brought the router up to date.
    async fn link(&self) -> bool {
        let url = self.status.begin();
        let token = self.owner.read_token();
        let connecting = wire::connect(&url, token.as_deref(), self.max_message_bytes);
        let connected = tokio::select! {
            connected = connecting => connected,
            () = until_stopped(&self.stopping) => return false,
        };
        let mut socket = match connected {
            Ok(socket) => socket,
            Err(words) => {
                self.status.fail(words);
                return false;
            }
        };
        self.status.connect();
        self.logger.log(Level::Info, &json!({ "event": "control-plane-connected", "url": url.href }));
        let mut proven = false;
        let hello = self.receiver.hello(&self.router_id);
        if self.send(&mut socket, &hello).await {
            self.serve(&mut socket, &mut proven).await;
        }
        self.status.disconnect();
        proven
    }

    async fn serve(&self, socket: &mut Socket, proven: &mut bool) {
        let mut link = Link::default();
        let mut watch = LinkWatch::new(clock::now_ms(), socket.get_ref().bytes_received());
        let ping_every = Duration::from_secs_f64(PING_EVERY_MS / 1000.0);
        let mut next_ping: Pin<Box<tokio::time::Sleep>> = Box::pin(sleep(Duration::ZERO));
        loop {
            tokio::select! {
                message = socket.next() => {
                    if !self.on_message(socket, message, &mut link, proven).await {
                        return;
                    }
                }
                () = next_ping.as_mut() => {
                    next_ping.as_mut().reset(Instant::now() + ping_every);
                    if let Some(words) = watch.useless(clock::now_ms(), socket.get_ref().bytes_received()) {
                        return self.status.fail(words.into());
                    }
                    let ping = timeout(SEND_TIMEOUT, socket.send(Message::Ping(Bytes::new()))).await;
                    if !matches!(ping, Ok(Ok(()))) {
                        return self.status.fail("The link broke off".into());
                    }
                }
                () = until_stopped(&self.stopping) => {
                    return close(socket, CLOSE_GOING_AWAY, "The router stops").await;
                }
            }
        }
    }
    // #endregion link

    /// False ends the link. One message after the other: a flood waits in the sender, not in this process.
    async fn on_message(
        &self,
        socket: &mut Socket,
        message: Option<tungstenite::Result<Message>>,
        link: &mut Link,
        proven: &mut bool,
    ) -> bool {
        match message {
            Some(Ok(Message::Text(text))) => {
                let bytes = Bytes::from(text);
                match self.receiver.receive(&bytes, link, &*self.owner).await {
                    Ok(reply) => {
                        *proven |= reply.up_to_date;
                        self.on_reply(socket, reply, bytes).await
                    }
                    Err(fault) => self.refuse(socket, &fault).await,
                }
            }
            Some(Ok(Message::Binary(_))) => self.refuse(socket, "A binary message").await,
            Some(Ok(Message::Pong(_))) => {
                self.status.confirm();
                true
            }
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame
                    .map_or((1005, String::new()), |frame| (u16::from(frame.code), frame.reason.as_str().to_owned()));
                self.status.fail(format!("The control plane closed the link: {code} {reason}").trim().to_owned());
                let _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
                false
            }
            Some(Ok(_)) => true,
            Some(Err(error)) => {
                self.status.fail(wire::words_of(&error));
                false
            }
            None => {
                self.status.fail("The link broke off".into());
                false
            }
        }
    }

    async fn on_reply(&self, socket: &mut Socket, reply: Reply, message: Bytes) -> bool {
        let reasons = match &reply.message {
            RouterMessage::Nack { reasons, .. } => Some(reasons.clone()),
            _ => None,
        };
        self.status.replied(reply.up_to_date, reasons);
        let (level, event) = match reply.outcome {
            ReplyOutcome::Applied => {
                self.owner.applied(message);
                return self.send(socket, &reply.message).await;
            }
            ReplyOutcome::Refused => (Level::Error, "snapshot-refused"),
            ReplyOutcome::Ignored => (Level::Info, "snapshot-ignored"),
            ReplyOutcome::Current => (Level::Info, "snapshot-current"),
        };
        self.logger.log(level, &json!({ "event": event, "words": reply.words }));
        self.send(socket, &reply.message).await
    }

    /// Ends a link on which something came that is not of this protocol. A new one starts from a clean hello.
    async fn refuse(&self, socket: &mut Socket, fault: &str) -> bool {
        let words = format!("Not understood: {fault}");
        self.status.fail(words.clone());
        close(socket, CLOSE_NOT_UNDERSTOOD, &words).await;
        false
    }

    async fn send(&self, socket: &mut Socket, message: &RouterMessage) -> bool {
        let text = serde_json::to_string(message).unwrap_or_default();
        match timeout(SEND_TIMEOUT, socket.send(Message::text(text))).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                self.status.fail(wire::words_of(&error));
                false
            }
            Err(_) => {
                self.status.fail("The control plane does not read".into());
                false
            }
        }
    }
}

/// Says why, and gives the other end a moment to answer.
async fn close(socket: &mut Socket, code: u16, words: &str) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: close_reason(words).into() };
    let closing = async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}
