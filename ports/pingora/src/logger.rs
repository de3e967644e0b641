//! Lines of JSON on standard output, written by a thread of their own. A log that cannot be written loses lines and counts
//! them: a full disk or a reader that has stalled must stop neither the traffic nor the stop.

use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;
use serde_json::json;

use crate::clock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
    Silent,
}

/// Lines that wait for the disk, in bytes; what comes on top is dropped.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Lines of a moment go out in one write.
const GATHER: Duration = Duration::from_millis(5);
/// After a write that failed: the disk is asked again, but not at once.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lines: u64,
    /// The writer sleeps until it is told.
    idle: bool,
    closed: bool,
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Clone)]
pub struct Logger {
    shared: Arc<Shared>,
    level: Level,
}

impl Logger {
    /// Starts the writing thread.
    pub fn start(level: Level) -> io::Result<Logger> {
        let shared =
            Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new(), dropped: AtomicU64::new(0) });
        let writer = shared.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&writer))?;
        Ok(Logger { shared, level })
    }

    pub fn is_on(&self, level: Level) -> bool {
        level >= self.level
    }

    /// One line with `level` and `time` first, then the members of `fields`.
    pub fn log(&self, level: Level, fields: &impl Serialize) {
        #[derive(Serialize)]
        struct Line<'a, T> {
            level: Level,
            time: String,
            #[serde(flatten)]
            fields: &'a T,
        }
        if self.is_on(level) {
            self.write(&Line { level, time: clock::today(), fields });
        }
    }

    /// One line as it is, whatever the level.
    pub fn write(&self, line: &impl Serialize) {
        let mut waiting = self.shared.waiting.lock();
        if waiting.bytes.len() >= MAX_WAITING_BYTES || waiting.closed {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let begin = waiting.bytes.len();
        if serde_json::to_writer(&mut waiting.bytes, line).is_err() {
            waiting.bytes.truncate(begin);
            return;
        }
        waiting.bytes.push(b'\n');
        waiting.lines += 1;
        if std::mem::take(&mut waiting.idle) {
            self.shared.changed.notify_all();
        }
    }

    /// Lines that could not be written so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Takes no more lines, and waits until the last one is written, but no longer than `within`.
    pub fn close(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut waiting = self.shared.waiting.lock();
        waiting.closed = true;
        self.shared.changed.notify_all();
        while !(waiting.idle && waiting.bytes.is_empty()) {
            if self.shared.changed.wait_until(&mut waiting, deadline).timed_out() {
                return;
            }
        }
    }
}

// #region write
fn write_all(shared: &Shared) {
    // Not `std::io::stdout`: its buffer would keep the rest of a line that the disk refused.
    // SAFETY: descriptor 1 stays open for the life of the process, and ManuallyDrop never closes it.
    let mut out = ManuallyDrop::new(unsafe { File::from_raw_fd(1) });
    let mut batch = Vec::new();
    let mut reported = 0;
    let mut cut = false;
    loop {
        let lines = {
            let mut waiting = shared.waiting.lock();
            while waiting.bytes.is_empty() {
                waiting.idle = true;
                shared.changed.notify_all();
                shared.changed.wait(&mut waiting);
            }
            std::mem::swap(&mut waiting.bytes, &mut batch);
            std::mem::take(&mut waiting.lines)
        };
        let written = write_batch(&mut out, &batch, cut);
        if written == batch.len() {
            cut = false;
        } else {
            cut |= written > 0 && batch[written - 1] != b'\n';
            let whole = batch[..written].iter().filter(|byte| **byte == b'\n').count() as u64;
            shared.dropped.fetch_add(lines - whole, Ordering::Relaxed);
            std::thread::sleep(PAUSE);
        }
        let dropped = shared.dropped.load(Ordering::Relaxed);
        if written == batch.len() && dropped > reported {
            let line =
                json!({ "level": "warn", "time": clock::today(), "event": "log-lines-dropped", "total": dropped });
            if writeln!(out, "{line}").is_ok() {
                reported = dropped;
            }
        }
        batch.clear();
        batch.shrink_to(64 * 1024);
        std::thread::sleep(GATHER);
    }
}

/// Writes as much as the disk takes, and returns how much that was. After a line that was cut off, a line feed goes first:
/// two halves must not look like one line.
fn write_batch(out: &mut File, batch: &[u8], after_cut: bool) -> usize {
    if after_cut && out.write_all(b"\n").is_err() {
        return 0;
    }
    let mut written = 0;
    while written < batch.len() {
        match out.write(&batch[written..]) {
            Ok(0) => break,
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A pipe that somebody else made non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(GATHER),
            Err(_) => break,
        }
    }
    written
}
// #endregion write
