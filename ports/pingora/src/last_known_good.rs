//! The newest snapshot that this router applied, kept on disk as the message that brought it: with it a router starts while
//! its control plane is down. Owns the file and its safe replacement; whether the content is any good is found out by reading
//! it as if it had just arrived. A disk that fails costs the next start its table, never a request.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::logger::{Level, Logger};
use crate::regular_file::{FileContent, read_regular_file};

/// A disk that hangs must not stop the stop.
const DISK_TIMEOUT: Duration = Duration::from_secs(5);

pub struct SavedMessage {
    pub message: Bytes,
    pub saved_at: SystemTime,
}

// #region last-known-good
pub struct LastKnownGood {
    path: PathBuf,
    max_bytes: u64,
    logger: Logger,
    newest: Mutex<Option<watch::Sender<Option<Bytes>>>>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl LastKnownGood {
    pub fn new(path: PathBuf, max_bytes: u64, logger: Logger) -> Self {
        let (newest, waiting) = watch::channel(None);
        let writing = tokio::spawn(write_newest(path.clone(), waiting, logger.clone()));
        let (newest, writing) = (Mutex::new(Some(newest)), Mutex::new(Some(writing)));
        LastKnownGood { path, max_bytes, logger, newest, writing }
    }

    /// The saved message, or `None` when there is none that can be read.
    pub async fn load(&self) -> Option<SavedMessage> {
        match read_regular_file(&self.path, self.max_bytes).await {
            Ok(FileContent { bytes, modified_at }) => {
                return Some(SavedMessage { message: bytes.into(), saved_at: modified_at });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tell(&self.logger, &error.to_string()),
        }
        None
    }

    /// Moves a damaged file out of the way: the next start must not trip over it, and somebody may want to see it.
    pub fn set_aside(&self) {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".damaged");
        if let Err(error) = fs::rename(&self.path, aside) {
            tell(&self.logger, &error.to_string());
        }
    }

    /// Writes `message` when the write before it is done. Of several that wait, only the newest is written.
    pub fn save(&self, message: Bytes) {
        if let Some(newest) = &*self.newest.lock() {
            newest.send_replace(Some(message));
        }
    }

    /// Resolves when everything that was given to `save` is on disk, or has failed, or the disk takes too long.
    pub async fn close(&self) {
        drop(self.newest.lock().take());
        let writing = self.writing.lock().take();
        if let Some(writing) = writing {
            let _ = timeout(DISK_TIMEOUT, writing).await;
        }
    }
}

async fn write_newest(path: PathBuf, mut waiting: watch::Receiver<Option<Bytes>>, logger: Logger) {
    loop {
        let is_open = waiting.changed().await.is_ok();
        let Some(message) = waiting.borrow_and_update().clone().filter(|_| is_open) else { return };
        let path = path.clone();
        let written = tokio::task::spawn_blocking(move || replace(&path, &message)).await;
        if let Some(cause) = written.map_or_else(|e| Some(e.to_string()), |done| done.err().map(|e| e.to_string())) {
            tell(&logger, &cause);
        }
    }
}

/// A temporary file beside it, fsync, rename: a crash leaves the old file or the new one, whole.
fn replace(path: &Path, message: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut beside = path.to_owned().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(message)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
        return written;
    }
    // The new name, too, must outlive a power cut.
    File::open(folder)?.sync_all()
}
// #endregion last-known-good

fn tell(logger: &Logger, cause: &str) {
    logger.log(Level::Error, &json!({ "event": "last-known-good-failed", "cause": cause }));
}
