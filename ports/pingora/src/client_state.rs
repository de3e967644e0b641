//! What the handler of a request and its connection tell each other, in front mode: what becomes of the connection, whether
//! the client reads, and what the engine would otherwise lose on the way.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use http::HeaderValue;
use parking_lot::Mutex;

use crate::clock;

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
    /// The handler has seen the request: it logs it, and decides how it ends.
    is_seen: AtomicBool,
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
        self.is_seen.store(false, Ordering::Release);
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

    pub fn set_seen(&self) {
        self.is_seen.store(true, Ordering::Release);
    }

    pub fn is_seen(&self) -> bool {
        self.is_seen.load(Ordering::Acquire)
    }

    pub fn set_says_continue(&self, says: bool) {
        self.says_continue.store(says, Ordering::Release);
    }

    pub fn set_date(&self, date: HeaderValue) {
        *self.date.lock() = Some(date);
    }

    pub fn says_continue(&self) -> bool {
        self.says_continue.load(Ordering::Acquire)
    }

    pub fn take_date(&self) -> Option<HeaderValue> {
        self.date.lock().take()
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

    pub fn set_blocked(&self, blocked: bool) {
        if self.blocked.swap(blocked, Ordering::AcqRel) && !blocked {
            self.took_at_ms.store(clock::now_ms() as u64, Ordering::Release);
        }
    }
}
