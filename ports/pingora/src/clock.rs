//! The only place that asks the machine for the time. Everything else takes it as an argument.

use std::sync::LazyLock;
use std::time::Instant;

use chrono::{SecondsFormat, Utc};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Monotonic milliseconds since the process started: for intervals, never for people.
pub fn now_ms() -> f64 {
    STARTED.elapsed().as_secs_f64() * 1000.0
}

/// The time of day, ISO 8601 in UTC with milliseconds: for people and logs.
pub fn today() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}
