//! State changes as server-sent events, for whoever watches this router: breakers, health, tables, and, while somebody
//! watches, a sample of decisions. Losing an event to a slow watcher is fine; holding a request up for one is not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::access_log::AccessEntry;
use crate::clock;

const MAX_WATCHERS: usize = 16;
/// Events that a watcher gets who comes later, or comes back.
const KEPT: usize = 100;
/// Decisions per second: a sample to look at, not a log.
const MAX_DECISIONS_PER_SECOND: u32 = 20;
const HEARTBEAT: Duration = Duration::from_secs(15);
const MAX_BUFFERED_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum RouterEvent {
    Breaker {
        placement: String,
        to: &'static str,
        from: &'static str,
    },
    Health {
        placement: String,
        to: &'static str,
        from: &'static str,
    },
    Table {
        version: String,
        sequence: u64,
    },
    #[serde(rename_all = "camelCase")]
    Decision {
        placement: String,
        served_by: String,
        status: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        failover_reason: Option<&'static str>,
        retries: u32,
    },
}

impl RouterEvent {
    fn name(&self) -> &'static str {
        match self {
            RouterEvent::Breaker { .. } => "breaker",
            RouterEvent::Health { .. } => "health",
            RouterEvent::Table { .. } => "table",
            RouterEvent::Decision { .. } => "decision",
        }
    }
}

#[derive(Default)]
struct State {
    watchers: Vec<Watcher>,
    recent: VecDeque<(u64, Bytes)>,
    last_id: u64,
    second: u64,
    decisions: u32,
}

struct Watcher {
    sender: mpsc::UnboundedSender<Bytes>,
    /// Bytes that wait for this watcher.
    buffered: Arc<AtomicUsize>,
}

/// One watcher's end.
pub struct Watch {
    receiver: mpsc::UnboundedReceiver<Bytes>,
    buffered: Arc<AtomicUsize>,
}

impl Watch {
    pub async fn next(&mut self) -> Option<Bytes> {
        let text = self.receiver.recv().await?;
        self.buffered.fetch_sub(text.len(), Ordering::AcqRel);
        Some(text)
    }
}

// #region events
#[derive(Default)]
pub struct Events {
    state: Mutex<State>,
    watching: AtomicUsize,
}

impl Events {
    /// Sends `event` to all watchers, and keeps all but decisions for those who come later.
    pub fn emit(&self, event: &RouterEvent) {
        #[derive(Serialize)]
        struct Timed<'a> {
            time: String,
            #[serde(flatten)]
            event: &'a RouterEvent,
        }
        let mut state = self.state.lock();
        state.last_id += 1;
        let id = state.last_id;
        let data = serde_json::to_string(&Timed { time: clock::today(), event }).unwrap_or_default();
        let text = Bytes::from(format!("id: {id}\nevent: {}\ndata: {data}\n\n", event.name()));
        if !matches!(event, RouterEvent::Decision { .. }) {
            state.recent.push_back((id, text.clone()));
            if state.recent.len() > KEPT {
                state.recent.pop_front();
            }
        }
        self.send_all(&mut state, &text);
    }

    /// Shows one ended request, while somebody watches.
    pub fn request_ended(&self, entry: &AccessEntry<'_>) {
        let Some(placement) = entry.placement.filter(|_| self.watching.load(Ordering::Relaxed) > 0) else { return };
        if !self.takes_decision() {
            return;
        }
        self.emit(&RouterEvent::Decision {
            placement: placement.to_owned(),
            served_by: entry.served_by.unwrap_or(placement).to_owned(),
            status: entry.status,
            failover_reason: entry.failover_reason,
            retries: entry.retries,
        });
    }

    /// Lets one more watch: first come the events that it missed. `None` when as many as may watch do.
    /// See <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
    pub fn watch(&self, last_seen: u64) -> Option<Watch> {
        let mut state = self.state.lock();
        state.watchers.retain(|watcher| !watcher.sender.is_closed());
        if state.watchers.len() >= MAX_WATCHERS {
            return None;
        }
        // Higher than any: it counted the events of the router's life before this one, and has seen none of these.
        let seen = if last_seen > state.last_id { 0 } else { last_seen };
        let (sender, receiver) = mpsc::unbounded_channel();
        let watcher = Watcher { sender, buffered: Arc::default() };
        let buffered = watcher.buffered.clone();
        let missed = state.recent.iter().filter(|(id, _)| *id > seen).map(|(_, text)| text.clone());
        for text in std::iter::once(Bytes::from_static(b"retry: 2000\n\n")).chain(missed) {
            send(&watcher, &text);
        }
        state.watchers.push(watcher);
        self.watching.store(state.watchers.len(), Ordering::Relaxed);
        Some(Watch { receiver, buffered })
    }

    /// Ends all streams.
    pub fn close(&self) {
        self.state.lock().watchers.clear();
        self.watching.store(0, Ordering::Relaxed);
    }

    /// A comment now and then finds watchers that are gone. Never ends.
    pub async fn beat(&self) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            self.send_all(&mut self.state.lock(), &Bytes::from_static(b": still here\n\n"));
        }
    }

    fn send_all(&self, state: &mut State, text: &Bytes) {
        state.watchers.retain(|watcher| send(watcher, text));
        self.watching.store(state.watchers.len(), Ordering::Relaxed);
    }

    fn takes_decision(&self) -> bool {
        let mut state = self.state.lock();
        let second = (clock::now_ms() / 1000.0) as u64;
        if second != state.second {
            state.second = second;
            state.decisions = 0;
        }
        state.decisions += 1;
        state.decisions <= MAX_DECISIONS_PER_SECOND
    }
}
// #endregion events

/// False cuts the watcher off: it is gone, or reads too slowly.
fn send(watcher: &Watcher, text: &Bytes) -> bool {
    let waiting = watcher.buffered.fetch_add(text.len(), Ordering::AcqRel);
    waiting <= MAX_BUFFERED_BYTES && watcher.sender.send(text.clone()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(sequence: u64) -> RouterEvent {
        RouterEvent::Table { version: "v".into(), sequence }
    }

    async fn read(watch: &mut Watch, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            text += std::str::from_utf8(&watch.next().await.expect("an event")).expect("text");
        }
        text
    }

    #[tokio::test]
    async fn gives_a_late_watcher_what_it_has_missed_and_nothing_twice() {
        let events = Events::default();
        for sequence in 1..=3 {
            events.emit(&table(sequence));
        }
        let mut late = events.watch(0).expect("a place");
        let text = read(&mut late, 4).await;
        assert!(text.starts_with("retry: 2000\n\nid: 1\nevent: table\ndata: {\"time\":\""));
        let mut back = events.watch(2).expect("a place");
        assert!(read(&mut back, 2).await.contains("id: 3\n"));
        let mut from_elsewhere = events.watch(900_000).expect("a place");
        assert!(read(&mut from_elsewhere, 2).await.contains("id: 1\n"));
    }

    #[tokio::test]
    async fn cuts_off_who_does_not_read_and_lets_only_so_many_watch() {
        let events = Events::default();
        let mut slow = events.watch(0).expect("a place");
        for sequence in 0..10_000 {
            events.emit(&table(sequence));
        }
        let mut count = 0;
        while slow.next().await.is_some() {
            count += 1;
        }
        assert!(count < 10_000, "the stream has an end");
        let places: Vec<_> = (0..40).map(|_| events.watch(0)).collect();
        assert_eq!(places.iter().flatten().count(), MAX_WATCHERS);
    }
}
