//! Holds the one current snapshot and swaps it whole. Every part of the router that needs the table reads it here, so a
//! source can bring tables from a file or the network without touching the readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use crate::routing_table::RoutingTable;

/// One immutable routing table, numbered in the order in which this process applied it.
#[derive(Debug)]
pub struct Snapshot {
    /// 1 for the first table that this process applied, then one more for each swap.
    pub sequence: u64,
    pub table: Arc<RoutingTable>,
}

type Listener = Box<dyn Fn(&Arc<Snapshot>) + Send + Sync>;

// #region store
#[derive(Default)]
pub struct TableStore {
    current: ArcSwapOption<Snapshot>,
    sequence: AtomicU64,
    listeners: Mutex<Vec<Listener>>,
}

impl TableStore {
    /// The snapshot to use for one whole request, or `None` before the first table has been applied. Takes no lock.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// Makes `table` current and tells the subscribers.
    ///
    /// One store of a pointer: a request reads either the old snapshot or the new one, never a mixture. Requests that are
    /// under way keep the snapshot that they read.
    pub fn swap(&self, table: Arc<RoutingTable>) -> Arc<Snapshot> {
        // Held for the whole swap: two at once must not tell their listeners in different orders.
        let listeners = self.listeners.lock();
        let sequence = self.sequence.fetch_add(1, Ordering::AcqRel) + 1;
        let next = Arc::new(Snapshot { sequence, table });
        // Before the store: no request may see a placement before its limits are there.
        for listener in listeners.iter() {
            listener(&next);
        }
        self.current.store(Some(next.clone()));
        next
    }

    /// Calls `listener` with every later snapshot, just before requests see it.
    pub fn subscribe(&self, listener: impl Fn(&Arc<Snapshot>) + Send + Sync + 'static) {
        self.listeners.lock().push(Box::new(listener));
    }
}
// #endregion store

#[cfg(test)]
mod tests {
    use super::*;
    use crate::static_table::static_routing_table;

    #[test]
    fn swaps_whole_and_tells_the_subscribers() {
        let store = TableStore::default();
        assert!(store.current().is_none());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heard = seen.clone();
        store.subscribe(move |snapshot| heard.lock().push(snapshot.sequence));
        let first = store.swap(Arc::new(static_routing_table(&Default::default())));
        store.swap(Arc::new(static_routing_table(&Default::default())));
        assert_eq!(*seen.lock(), [1, 2]);
        assert_eq!(first.sequence, 1, "a request under way keeps the snapshot that it read");
        assert_eq!(store.current().map(|snapshot| snapshot.sequence), Some(2));
    }
}
