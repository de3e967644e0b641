//! One connection to a cell, watched beside the engine that uses it: how long the cell takes for its response, what it takes
//! of an upload, and how long it falls silent inside a body. The engine has one timeout for all reads, which begins when the
//! request's head is sent and ends nothing that drips; so the watch judges, and ends a connection by shutting it down.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use nix::sys::socket;
use parking_lot::Mutex;

use crate::client_state::ClientState;
use crate::errors::{self, ErrorCode};

/// Times in milliseconds; 0 turns a limit off.
#[derive(Debug, Clone, Copy)]
pub struct CellLimits {
    /// Time from the end of the request to the head of the response.
    pub head_timeout_ms: f64,
    /// Time between two pieces of a response's body while the client keeps reading.
    pub body_idle_timeout_ms: f64,
    /// How long a cell may take nothing of a request body that waits for it.
    pub stalled_timeout_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    /// The request's body is on its way.
    Sending,
    /// The request is whole: the time for the response runs.
    Awaiting,
    Receiving,
}

#[derive(Debug)]
struct Watch {
    phase: Phase,
    /// When something last moved in the direction that counts now.
    moved_at_ms: f64,
    /// Bytes of the request that the cell has not taken yet, as of the last look.
    unsent: i32,
    has_body: bool,
    client: Option<Arc<ClientState>>,
}

#[derive(Debug)]
pub struct CellConnection {
    fd: RawFd,
    pub url: String,
    watch: Mutex<Watch>,
    overdue: AtomicU8,
    /// Closes once it has been idle for a while: nobody uses it again.
    retired: AtomicBool,
    closed: AtomicBool,
}

const REST_BEFORE_CLOSE_MS: f64 = 100.0;

const NOT_OVERDUE: u8 = 0;
const HEAD_OVERDUE: u8 = 1;
const BODY_OVERDUE: u8 = 2;

// #region cell-connection
impl CellConnection {
    pub fn new(fd: RawFd, url: &str) -> Self {
        let watch = Watch { phase: Phase::Idle, moved_at_ms: 0.0, unsent: 0, has_body: false, client: None };
        CellConnection {
            fd,
            url: url.to_owned(),
            watch: Mutex::new(watch),
            overdue: AtomicU8::new(NOT_OVERDUE),
            retired: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// A request goes out. While its body does, only a cell that takes nothing of it is late.
    pub fn on_request(&self, client: Option<Arc<ClientState>>, has_body: bool, now_ms: f64) {
        *self.watch.lock() = Watch { phase: Phase::Sending, moved_at_ms: now_ms, unsent: 0, has_body, client };
    }

    /// The request is whole, as far as the engine is concerned: the time for the response begins.
    pub fn on_body_sent(&self, now_ms: f64) {
        let mut watch = self.watch.lock();
        if watch.phase == Phase::Sending {
            watch.phase = Phase::Awaiting;
            watch.moved_at_ms = now_ms;
        }
    }

    /// The head of the final response has come, or a piece of its body.
    pub fn on_response(&self, now_ms: f64) {
        let mut watch = self.watch.lock();
        watch.phase = Phase::Receiving;
        watch.moved_at_ms = now_ms;
    }

    /// The response is whole.
    pub fn on_end(&self, now_ms: f64) {
        let mut watch = self.watch.lock();
        watch.phase = Phase::Idle;
        watch.moved_at_ms = now_ms;
    }

    /// Closes soon, or after the response under way. Not at once: a request may have just taken it from the pool.
    pub fn retire(&self, now_ms: f64) {
        self.retired.store(true, Ordering::Release);
        let mut watch = self.watch.lock();
        if watch.phase == Phase::Idle {
            watch.moved_at_ms = now_ms;
        }
    }

    /// Which limit has ended this connection, if any.
    pub fn overdue(&self) -> Option<ErrorCode> {
        match self.overdue.load(Ordering::Acquire) {
            HEAD_OVERDUE => Some(&errors::HEAD_TIMEOUT),
            BODY_OVERDUE => Some(&errors::BODY_TIMEOUT),
            _ => None,
        }
    }

    /// The engine has closed the connection: its descriptor may be another's from now on.
    pub fn on_closed(&self) {
        // Behind the lock, so that nobody is in the middle of using the descriptor.
        let _watch = self.watch.lock();
        self.closed.store(true, Ordering::Release);
    }
    // #endregion cell-connection

    // #region judge
    /// Called a few times per second. `stood_still_ms`: how long this process has not run since the last look.
    pub fn judge(&self, limits: &CellLimits, now_ms: f64, stood_still_ms: f64) {
        let mut watch = self.watch.lock();
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        if watch.phase == Phase::Idle {
            let has_rested = now_ms - watch.moved_at_ms >= REST_BEFORE_CLOSE_MS;
            if has_rested && self.retired.load(Ordering::Acquire) {
                let _ = socket::shutdown(self.fd, socket::Shutdown::Both);
            }
            return;
        }
        // What came meanwhile has not been read yet: a router that was paused blames nobody.
        watch.moved_at_ms += stood_still_ms;
        let overdue = match watch.phase {
            Phase::Receiving => Self::is_silent(&watch, limits, now_ms).then_some(BODY_OVERDUE),
            _ => self.is_late(&mut watch, limits, now_ms).then_some(HEAD_OVERDUE),
        };
        let Some(overdue) = overdue else { return };
        self.overdue.store(overdue, Ordering::Release);
        let _ = socket::shutdown(self.fd, socket::Shutdown::Both);
    }

    fn is_late(&self, watch: &mut Watch, limits: &CellLimits, now_ms: f64) -> bool {
        if watch.has_body {
            let unsent = unsent_bytes(self.fd);
            if unsent != watch.unsent {
                watch.unsent = unsent;
                watch.moved_at_ms = now_ms;
            } else if unsent == 0 && watch.phase == Phase::Sending {
                // The body waits for its client, for which the cell cannot be blamed.
                watch.moved_at_ms = now_ms;
            }
        }
        let stalled = watch.phase == Phase::Sending || (watch.unsent > 0 && limits.head_timeout_ms == 0.0);
        let limit_ms = if stalled { limits.stalled_timeout_ms } else { limits.head_timeout_ms };
        let is_watched = watch.has_body || watch.phase == Phase::Awaiting;
        is_watched && limit_ms > 0.0 && now_ms - watch.moved_at_ms >= limit_ms
    }

    fn is_silent(watch: &Watch, limits: &CellLimits, now_ms: f64) -> bool {
        // Without a client that can be watched, in stock mode, the engine's own timeout must do.
        let Some(client) = &watch.client else { return false };
        let Some(reads_since_ms) = client.reads_since_ms() else { return false };
        let limit_ms = limits.body_idle_timeout_ms;
        limit_ms > 0.0 && now_ms - watch.moved_at_ms.max(reads_since_ms) >= limit_ms
    }
    // #endregion judge
}

/// Bytes in the socket that the other end has not acknowledged.
fn unsent_bytes(fd: RawFd) -> i32 {
    let mut unsent: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int to the address given; a descriptor that is none of a socket makes it fail, no more.
    let failed = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut unsent) } < 0;
    if failed { 0 } else { unsent }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CellLimits =
        CellLimits { head_timeout_ms: 10_000.0, body_idle_timeout_ms: 30_000.0, stalled_timeout_ms: 12_000.0 };

    /// Descriptor -1 is none: what the watch does to it fails without effect.
    fn connection(has_body: bool) -> CellConnection {
        let connection = CellConnection::new(-1, "http://127.0.0.1:9001");
        connection.on_request(Some(Arc::default()), has_body, 0.0);
        connection
    }

    fn overdue_after(connection: &CellConnection, from: f64, to: f64) -> Option<(f64, &'static str)> {
        let mut now = from;
        while now <= to {
            connection.judge(&LIMITS, now, 0.0);
            if let Some(code) = connection.overdue() {
                return Some((now, code.code));
            }
            now += 250.0;
        }
        None
    }

    #[test]
    fn the_time_for_a_response_begins_when_the_request_is_whole() {
        let connection = connection(true);
        assert_eq!(overdue_after(&connection, 0.0, 60_000.0), None, "the client takes its time for the body");
        connection.on_body_sent(60_000.0);
        assert_eq!(overdue_after(&connection, 60_000.0, 90_000.0), Some((70_000.0, "head-timeout")));
    }

    #[test]
    fn silence_inside_a_body_counts_from_its_last_piece() {
        let connection = connection(false);
        connection.on_body_sent(0.0);
        connection.on_response(5_000.0);
        assert_eq!(overdue_after(&connection, 5_000.0, 30_000.0), None);
        connection.on_response(30_000.0);
        assert_eq!(overdue_after(&connection, 30_000.0, 90_000.0), Some((60_000.0, "body-timeout")));
    }

    #[test]
    fn a_router_that_stood_still_blames_nobody() {
        let connection = connection(false);
        connection.on_body_sent(0.0);
        connection.judge(&LIMITS, 13_000.0, 12_750.0);
        assert_eq!(connection.overdue(), None);
        assert_eq!(overdue_after(&connection, 13_250.0, 60_000.0), Some((22_750.0, "head-timeout")));
    }

    #[test]
    fn nothing_is_late_on_an_idle_connection() {
        let connection = connection(false);
        connection.on_body_sent(0.0);
        connection.on_response(1.0);
        connection.on_end(2.0);
        assert_eq!(overdue_after(&connection, 0.0, 600_000.0), None);
    }
}
