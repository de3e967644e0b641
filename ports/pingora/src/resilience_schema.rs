//! What makes the optional resilience settings of a routing document valid: bounds, units and defaults by field. It
//! extends the document's rules in `routing_table.rs`.

use indexmap::IndexMap;
use serde_json::Value;

use crate::backoff::BackoffSettings;
use crate::resilience_settings::*;
use crate::validation::{Bounds, Faults, Fields, Path, expected};

/// An hour: longer, and a number was meant in another unit.
const MILLISECONDS: Bounds = Bounds::from_to(1.0, 3_600_000.0);
const COUNT: Bounds = Bounds::whole(1.0, 1_000_000.0);
const RATE: Bounds = Bounds::over_to(0.0, 1_000_000.0);
const BURST: Bounds = Bounds::from_to(1.0, 1_000_000.0);
const MOST_FALLBACKS: usize = 16;

// #region resilience-schema
/// Fields of one placement.
pub fn read_placement(fields: &mut Fields<'_>, faults: &mut Faults) -> PlacementResilience {
    let rate_limit = optional(fields, "rateLimit", faults, read_rate_limit);
    let concurrency_limit = fields.get("concurrencyLimit").is_some().then(|| {
        let limit = fields.number("concurrencyLimit", None, COUNT, faults);
        limit as u64
    });
    PlacementResilience {
        rate_limit,
        concurrency_limit,
        health: optional(fields, "health", faults, read_health),
        circuit_breaker: optional(fields, "circuitBreaker", faults, read_circuit_breaker),
        fallback: read_fallback(fields, faults),
        retries: optional(fields, "retries", faults, read_retries),
    }
}

/// Fields at the top of the document.
pub fn read_table(fields: &mut Fields<'_>, faults: &mut Faults) -> TableResilience {
    let mut key_limits = IndexMap::new();
    let path = fields.path("keyLimits");
    if let Some(value) = fields.get("keyLimits") {
        match value {
            Value::Object(members) => {
                for (key, limit) in members {
                    if key.is_empty() {
                        faults.add(&path.child(key), "must not be empty");
                    }
                    if let Some(limit) = read_part(Some(limit), &path.child(key), faults, read_rate_limit) {
                        key_limits.insert(key.clone(), limit);
                    }
                }
            }
            other => faults.add(&path, expected("an object", Some(other))),
        }
    }
    TableResilience {
        key_limits,
        unlisted_keys_limit: optional(fields, "unlistedKeysLimit", faults, read_rate_limit),
        retry_budget: optional(fields, "retryBudget", faults, read_retry_budget),
    }
}
// #endregion resilience-schema

fn read_rate_limit(fields: &mut Fields<'_>, faults: &mut Faults) -> RateLimitSettings {
    RateLimitSettings {
        rate_per_second: fields.number("ratePerSecond", None, RATE, faults),
        burst: fields.number("burst", None, BURST, faults),
    }
}

fn read_health(fields: &mut Fields<'_>, faults: &mut Faults) -> HealthSettings {
    let default = HealthSettings::default();
    let path = match fields.get("path") {
        None => default.path,
        Some(Value::String(path)) if is_probe_path(path) => path.clone(),
        Some(Value::String(_)) => {
            faults.add(&fields.path("path"), "a path begins with one / and has no spaces and no #");
            default.path
        }
        Some(other) => {
            faults.add(&fields.path("path"), expected("a string", Some(other)));
            default.path
        }
    };
    HealthSettings {
        path,
        interval_ms: fields.number("intervalMs", Some(default.interval_ms), MILLISECONDS, faults),
        timeout_ms: fields.number("timeoutMs", Some(default.timeout_ms), MILLISECONDS, faults),
        rise: fields.number("rise", Some(default.rise.into()), COUNT, faults) as u32,
        fall: fields.number("fall", Some(default.fall.into()), COUNT, faults) as u32,
    }
}

/// After a second slash, or a backslash, would come a host: the probe would go there.
pub fn is_probe_path(path: &str) -> bool {
    let mut bytes = path.bytes();
    bytes.next() == Some(b'/')
        && !matches!(path.as_bytes().get(1), Some(b'/' | b'\\'))
        && bytes.all(|b| b.is_ascii_graphic() && b != b'#')
}

fn read_circuit_breaker(fields: &mut Fields<'_>, faults: &mut Faults) -> CircuitBreakerSettings {
    let default = CircuitBreakerSettings::default();
    let count = |n: u32| Some(f64::from(n));
    CircuitBreakerSettings {
        consecutive_failures: fields.number("consecutiveFailures", count(default.consecutive_failures), COUNT, faults)
            as u32,
        failure_ratio: fields.number("failureRatio", Some(default.failure_ratio), Bounds::over_to(0.0, 1.0), faults),
        window_ms: fields.number("windowMs", Some(default.window_ms), MILLISECONDS, faults),
        minimum_requests: fields.number("minimumRequests", Some(default.minimum_requests as f64), COUNT, faults) as u64,
        wait_ms: fields.number("waitMs", Some(default.wait_ms), MILLISECONDS, faults),
        max_wait_ms: fields.number("maxWaitMs", Some(default.max_wait_ms), MILLISECONDS, faults),
        half_open_probes: fields.number("halfOpenProbes", count(default.half_open_probes), COUNT, faults) as u32,
    }
}

fn read_fallback(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let path = fields.path("fallback");
    let Some(value) = fields.get("fallback") else { return Vec::new() };
    let Value::Array(entries) = value else {
        faults.add(&path, expected("a list", Some(value)));
        return Vec::new();
    };
    if entries.len() > MOST_FALLBACKS {
        faults.add(&path, format!("at most {MOST_FALLBACKS} names, got {}", entries.len()));
        return Vec::new();
    }
    let mut names = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            Value::String(name) => names.push(name.clone()),
            other => faults.add(&path.child(&at.to_string()), expected("a string", Some(other))),
        }
    }
    names
}

fn read_retries(fields: &mut Fields<'_>, faults: &mut Faults) -> RetrySettings {
    let default = RetrySettings::default();
    let most = Bounds::whole(0.0, MOST_RETRIES);
    RetrySettings {
        max_retries: fields.number("maxRetries", Some(default.max_retries.into()), most, faults) as u32,
        backoff: BackoffSettings {
            base_ms: fields.number("baseMs", Some(default.backoff.base_ms), MILLISECONDS, faults),
            cap_ms: fields.number("capMs", Some(default.backoff.cap_ms), MILLISECONDS, faults),
        },
    }
}

fn read_retry_budget(fields: &mut Fields<'_>, faults: &mut Faults) -> RetryBudgetSettings {
    let default = RetryBudgetSettings::default();
    let balance = Bounds::from_to(1.0, 1_000_000.0);
    RetryBudgetSettings {
        ratio: fields.number("ratio", Some(default.ratio), Bounds::from_to(0.0, 1.0), faults),
        min_per_second: fields.number(
            "minPerSecond",
            Some(default.min_per_second),
            Bounds::from_to(0.0, 1000.0),
            faults,
        ),
        max_balance: fields.number("maxBalance", Some(default.max_balance), balance, faults),
    }
}

/// A member that may be absent; one that is there must be an object without unknown members.
fn optional<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    faults: &mut Faults,
    read: impl FnOnce(&mut Fields<'_>, &mut Faults) -> T,
) -> Option<T> {
    let path = fields.path(name);
    let value = fields.get(name)?;
    read_part(Some(value), &path, faults, read)
}

fn read_part<T>(
    value: Option<&Value>,
    path: &Path<'_>,
    faults: &mut Faults,
    read: impl FnOnce(&mut Fields<'_>, &mut Faults) -> T,
) -> Option<T> {
    let mut fields = Fields::of(value, path, faults)?;
    let part = read(&mut fields, faults);
    fields.finish(faults);
    Some(part)
}
