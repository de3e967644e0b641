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
/// In the line that says how many are missing.
const NOTICE: &str = r#","event":"log-lines-dropped","lines":"#;
/// After a write that failed: somebody may have made room by then.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Waiting {
    /// Lines that the writer has not taken yet.
    bytes: Vec<u8>,
    /// The size of those that it has taken.
    writing: usize,
    /// Dropped lines that no line in the log mentions yet.
    unmentioned: u64,
    /// The last write failed: the line about dropped lines waits for the next line.
    broken: bool,
    /// Once full, all that waits is written first: one long gap in a log is easier to read than many short ones.
    overflowed: bool,
    /// The writer sleeps until it is told.
    idle: bool,
    closed: bool,
}

impl Waiting {
    /// Puts a line in the place of those that were dropped; whatever the level is.
    fn mention_dropped(&mut self) {
        if self.unmentioned == 0 {
            return;
        }
        let lines = std::mem::take(&mut self.unmentioned);
        let time = clock::today();
        self.bytes.extend_from_slice(format!("{{\"level\":\"warn\",\"time\":\"{time}\"{NOTICE}{lines}}}\n").as_bytes());
    }
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    dropped: AtomicU64,
}

impl Shared {
    fn drop_line(&self, waiting: &mut Waiting) {
        waiting.unmentioned += 1;
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Whole lines. Where one says how many were dropped before, those are to be mentioned again.
    fn drop_lines(&self, waiting: &mut Waiting, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            match mentioned_in(line) {
                Some(mentioned) => waiting.unmentioned += mentioned,
                None => self.drop_line(waiting),
            }
        }
    }
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
        waiting.overflowed |= waiting.bytes.len() + waiting.writing >= MAX_WAITING_BYTES;
        if waiting.overflowed || waiting.closed {
            return self.shared.drop_line(&mut waiting);
        }
        waiting.mention_dropped();
        let begin = waiting.bytes.len();
        if serde_json::to_writer(&mut waiting.bytes, line).is_err() {
            waiting.bytes.truncate(begin);
            return;
        }
        waiting.bytes.push(b'\n');
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
    loop {
        take(shared, &mut batch);
        write_out(shared, &mut *out, &batch);
        batch.clear();
        batch.shrink_to(64 * 1024);
        std::thread::sleep(GATHER);
    }
}

/// Takes all lines that wait, once there are some, and makes room for others.
fn take(shared: &Shared, batch: &mut Vec<u8>) {
    let mut waiting = shared.waiting.lock();
    waiting.writing = 0;
    while waiting.bytes.is_empty() {
        waiting.overflowed = false;
        if !waiting.broken {
            waiting.mention_dropped();
        }
        if waiting.bytes.is_empty() {
            waiting.idle = true;
            shared.changed.notify_all();
            shared.changed.wait(&mut waiting);
        }
    }
    std::mem::swap(&mut waiting.bytes, batch);
    waiting.writing = batch.len();
}

/// Writes lines until all of them are out, or nobody will read them.
fn write_out(shared: &Shared, out: &mut impl Write, mut lines: &[u8]) {
    let mut is_torn = false;
    while !lines.is_empty() {
        // Two halves must not look like one line.
        let mut failed = if is_torn { write_some(out, b"\n").1 } else { None };
        if failed.is_none() {
            let (written, error) = write_some(out, lines);
            // A line counts as written once its last byte is; of a line that is torn, all is written again.
            let whole = memchr::memrchr(b'\n', &lines[..written]).map_or(0, |at| at + 1);
            is_torn = whole < written;
            lines = &lines[whole..];
            failed = error;
        }
        let mut waiting = shared.waiting.lock();
        waiting.broken = false;
        let Some(error) = failed else { continue };
        if waiting.closed || !has_no_room(&error) {
            // Nobody will read these lines.
            waiting.broken = true;
            shared.drop_lines(&mut waiting, lines);
            let rest = std::mem::take(&mut waiting.bytes);
            shared.drop_lines(&mut waiting, &rest);
            lines = &[];
        }
        drop(waiting);
        std::thread::sleep(PAUSE);
    }
}

/// How much was written, and what stopped it.
fn write_some(out: &mut impl Write, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A pipe that somebody else made non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(GATHER),
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}
// #endregion write

/// Somebody may make room, so lines wait. After any other error, such as a closed terminal, nobody will read them.
fn has_no_room(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG))
}

/// How many dropped lines this line mentions; `None` for an ordinary line, in whose values each quote is escaped.
fn mentioned_in(line: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(line, NOTICE.as_bytes())? + NOTICE.len();
    std::str::from_utf8(&line[at..]).ok()?.strip_suffix("}\n")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then refuses some writes, then takes all.
    struct FullDisk {
        room: usize,
        refusals: usize,
        errno: i32,
        has: Vec<u8>,
    }

    impl Write for FullDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room > 0 {
                let taken = bytes.len().min(self.room);
                self.room -= taken;
                self.has.extend_from_slice(&bytes[..taken]);
                return Ok(taken);
            }
            if self.refusals > 0 {
                self.refusals -= 1;
                return Err(io::Error::from_raw_os_error(self.errno));
            }
            self.has.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shared() -> Shared {
        Shared { waiting: Mutex::default(), changed: Condvar::new(), dropped: AtomicU64::new(0) }
    }

    #[test]
    fn a_line_that_the_disk_tears_is_written_again_on_a_line_of_its_own() {
        let (shared, mut disk) = (shared(), FullDisk { room: 6, refusals: 2, errno: libc::ENOSPC, has: Vec::new() });
        write_out(&shared, &mut disk, b"one\ntwo\nthree\n");
        assert_eq!(String::from_utf8_lossy(&disk.has), "one\ntw\ntwo\nthree\n");
        assert_eq!(shared.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn lines_that_nobody_will_read_are_counted_and_mentioned_once() {
        let (shared, mut disk) = (shared(), FullDisk { room: 4, refusals: 1, errno: libc::EPIPE, has: Vec::new() });
        shared.waiting.lock().bytes = b"four\n".to_vec();
        write_out(&shared, &mut disk, b"one\ntwo\nthree\n");
        assert_eq!(disk.has, b"one\n");
        let mut batch = Vec::new();
        shared.waiting.lock().broken = false;
        take(&shared, &mut batch);
        let text = String::from_utf8_lossy(&batch).into_owned();
        assert!(text.ends_with("\"event\":\"log-lines-dropped\",\"lines\":3}\n"), "{text}");
        assert_eq!((shared.waiting.lock().unmentioned, shared.dropped.load(Ordering::Relaxed)), (0, 3));
        // The line about them is lost as well: they are mentioned again, and it counts for nothing.
        let mut nobody = FullDisk { room: 0, refusals: 1, errno: libc::EPIPE, has: Vec::new() };
        write_out(&shared, &mut nobody, &batch);
        assert_eq!((shared.waiting.lock().unmentioned, shared.dropped.load(Ordering::Relaxed)), (3, 3));
    }
}
