//! Keeps the store in step with a file: notices that it may have changed, reads it, and swaps the table when it holds another
//! valid one. Whatever else happens to the file, the table in use stays.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock;
use crate::logger::{Level, Logger};
use crate::path_watcher::{PathWatcher, entries_on_the_way};
use crate::regular_file::{FileContent, read_regular_file};
use crate::routing_table::Rules;
use crate::table_decoder::{Decoded, decode_table_offloaded};
use crate::table_store::TableStore;
use crate::tasks::spawn_restarting;

// #region times
/// A write often comes in several steps; the file is read once it has been quiet for this long.
const SETTLE: Duration = Duration::from_millis(20);
/// A file that is never quiet is read all the same, after this many times `SETTLE`.
const MAX_SETTLES: usize = 5;
/// The file is read this often without any sign of a change: network file systems give none.
const REREAD: Duration = Duration::from_secs(1);
// #endregion times

/// A table of 100,000 keys has 2 to 5 MiB.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Why content is not in use.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct LastError {
    /// ISO 8601 in UTC.
    pub at: String,
    pub faults: Vec<String>,
}

/// What the router uses, where it came from, and what became of the last attempt to replace it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    pub source: &'static str,
    pub path: String,
    pub version: Option<String>,
    pub checksum: Option<String>,
    pub applied_at: Option<String>,
    pub last_error: Option<LastError>,
}

pub struct FileSource {
    path: PathBuf,
    rules: Rules,
    store: Arc<TableStore>,
    logger: Logger,
    status: Mutex<SourceStatus>,
    seen: tokio::sync::Mutex<Seen>,
    wish: Notify,
    following: Mutex<Option<JoinHandle<()>>>,
}

/// What one look at the file leaves for the next.
#[derive(Default)]
struct Seen {
    /// The bytes last decoded; `None` after a read that failed.
    bytes: Option<Arc<[u8]>>,
    /// What the last look found wrong, if anything.
    suspicion: Option<Vec<String>>,
}

/// What has to be seen to: nothing, signs of a change, or somebody's wish to have the file read now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    Change,
    Wish,
}

impl FileSource {
    pub fn new(path: PathBuf, rules: Rules, store: Arc<TableStore>, logger: Logger) -> Arc<Self> {
        let status = SourceStatus {
            source: "file",
            path: path.display().to_string(),
            version: None,
            checksum: None,
            applied_at: None,
            last_error: None,
        };
        let status = Mutex::new(status);
        Arc::new(FileSource {
            path,
            rules,
            store,
            logger,
            status,
            seen: tokio::sync::Mutex::default(),
            wish: Notify::new(),
            following: Mutex::default(),
        })
    }

    pub fn status(&self) -> SourceStatus {
        self.status.lock().clone()
    }

    /// Applies the file and follows it from then on. The error names every fault.
    pub async fn start(self: &Arc<Self>) -> Result<(), String> {
        self.look().await;
        let SourceStatus { last_error, path, .. } = self.status();
        if let Some(LastError { faults, .. }) = last_error {
            return Err(format!("Cannot start: no routing table in {path:?}:\n{}", faults.join("\n")));
        }
        let this = self.clone();
        let follow = move || this.clone().follow();
        *self.following.lock() = Some(spawn_restarting("file-source", self.logger.clone(), follow));
        Ok(())
    }

    /// Reads the file now, without waiting for it to be quiet.
    pub fn reload(&self) {
        self.wish.notify_one();
    }

    /// Follows the file no longer: from then on no table of it is applied.
    pub async fn close(&self) {
        let following = self.following.lock().take();
        if let Some(task) = following {
            task.abort();
            let _ = task.await;
        }
    }

    // #region follow
    /// One read after the other: a slow read of old content can never overwrite what a later read found.
    async fn follow(self: Arc<Self>) {
        let (mut watcher, error) = PathWatcher::new();
        let mut complaints = Vec::new();
        self.complain(error, &mut complaints);
        let mut pending = Pending::Change;
        loop {
            if pending == Pending::Nothing {
                tokio::select! {
                    () = tokio::time::sleep(REREAD) => {}
                    () = watcher.changed() => pending = Pending::Change,
                    () = self.wish.notified() => pending = Pending::Wish,
                }
            }
            for _ in 0..MAX_SETTLES {
                if pending != Pending::Change {
                    break;
                }
                pending = self.settle(&mut watcher).await;
            }
            let path = self.path.clone();
            if let Ok(entries) = tokio::task::spawn_blocking(move || entries_on_the_way(&path)).await {
                for error in watcher.refresh(entries) {
                    self.complain(Some(error), &mut complaints);
                }
            }
            // A second look follows the first that found a fault: it may have met half a write.
            pending = if self.look().await { Pending::Change } else { Pending::Nothing };
        }
    }

    /// Waits until the file has been quiet for `SETTLE`. A further change only prolongs the wait; a wish ends it.
    async fn settle(&self, watcher: &mut PathWatcher) -> Pending {
        let until = Instant::now() + SETTLE;
        let mut pending = Pending::Nothing;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return pending,
                () = watcher.changed() => pending = Pending::Change,
                () = self.wish.notified() => return Pending::Wish,
            }
        }
    }

    /// Without a watch the file is still read every second; the log says each reason once.
    fn complain(&self, error: Option<io::Error>, complaints: &mut Vec<String>) {
        let Some(cause) = error.map(|error| error.to_string()).filter(|cause| !complaints.contains(cause)) else {
            return;
        };
        let path = self.path.display().to_string();
        self.logger.log(Level::Warn, &json!({ "event": "routing-not-watched", "path": path, "cause": cause }));
        complaints.push(cause);
    }
    // #endregion follow

    // #region look
    /// Reads the file once. True: look again soon.
    async fn look(&self) -> bool {
        let seen = &mut *self.seen.lock().await;
        let decoded = match read_regular_file(&self.path, MAX_FILE_BYTES).await {
            Ok(FileContent { bytes, .. }) if seen.bytes.as_deref() == Some(&*bytes) => return false,
            Ok(FileContent { bytes, .. }) => {
                let bytes: Arc<[u8]> = bytes.into();
                seen.bytes = Some(bytes.clone());
                decode_table_offloaded(bytes, self.rules).await
            }
            Err(fault) => {
                seen.bytes = None;
                Err(vec![format!("(file): {fault}")])
            }
        };
        let faults = match decoded {
            Ok(decoded) => {
                seen.suspicion = None;
                self.accept(decoded);
                return false;
            }
            Err(faults) => faults,
        };
        // The file may have been met in the middle of a write: a fault counts once two looks agree.
        if seen.suspicion.as_ref() == Some(&faults) || self.status.lock().version.is_none() {
            self.reject(faults);
            return false;
        }
        seen.suspicion = Some(faults);
        seen.bytes = None;
        true
    }

    fn accept(&self, Decoded { table, checksum }: Decoded) {
        let mut status = self.status.lock();
        status.last_error = None;
        if status.checksum.as_deref() == Some(&checksum) {
            drop(status);
            self.logger.log(Level::Info, &json!({ "event": "routing-unchanged", "checksum": checksum }));
            return;
        }
        let (version, keys) = (table.version.clone(), table.placement_by_key.len());
        self.store.swap(table);
        status.version = Some(version.clone());
        status.checksum = Some(checksum.clone());
        status.applied_at = Some(clock::today());
        drop(status);
        let line = json!({ "event": "routing-applied", "version": version, "checksum": checksum, "keys": keys });
        self.logger.log(Level::Info, &line);
    }

    fn reject(&self, faults: Vec<String>) {
        let mut status = self.status.lock();
        // A missing file is read again and again; the log says so once.
        if status.last_error.as_ref().is_some_and(|last| last.faults == faults) {
            return;
        }
        let line = json!({ "event": "routing-rejected", "path": status.path, "faults": faults });
        status.last_error = Some(LastError { at: clock::today(), faults });
        drop(status);
        self.logger.log(Level::Error, &line);
    }
    // #endregion look
}
