//! The optional settings of m4, as they stand in the routing table once it has been parsed: names, units, defaults.
//! Parsing and bounds are left to `resilience_schema.rs`. A part that a table does not name is switched off for that
//! placement, so a table of an earlier milestone still works.

use indexmap::IndexMap;

use crate::backoff::BackoffSettings;

/// Token bucket: at most `burst` requests at once and `rate_per_second` in the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimitSettings {
    /// Tokens that flow in per second; more than 0, fractions allowed.
    pub rate_per_second: f64,
    /// Tokens that the bucket holds when full; at least 1.
    pub burst: f64,
}

/// Active health check of one placement's endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthSettings {
    /// Path that the probe requests, beginning with `/`.
    pub path: String,
    /// Milliseconds from one probe's end to the next one's start, ±10 % jitter.
    pub interval_ms: f64,
    /// A probe without a response after this many milliseconds has failed.
    pub timeout_ms: f64,
    /// Successful probes in a row that make an unhealthy cell healthy; at least 1.
    pub rise: u32,
    /// Failed probes in a row that make a healthy cell unhealthy; at least 1.
    pub fall: u32,
}

/// Circuit breaker of one placement: it opens at whichever of the two thresholds is reached first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CircuitBreakerSettings {
    /// Failures in a row that open the circuit; at least 1.
    pub consecutive_failures: u32,
    /// Share of failures in the window that opens the circuit; more than 0, at most 1.
    pub failure_ratio: f64,
    /// Length of the rolling window, in milliseconds.
    pub window_ms: f64,
    /// Results that the window must hold before the ratio means anything; at least 1.
    pub minimum_requests: u64,
    /// How long the circuit stays open the first time, in milliseconds.
    pub wait_ms: f64,
    /// Each failed half-open phase doubles the wait, up to this many milliseconds.
    pub max_wait_ms: f64,
    /// Requests that half-open lets through; all of them must succeed to close. At least 1.
    pub half_open_probes: u32,
}

/// Retries of requests to one placement: delays as in `backoff.rs`, and how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetrySettings {
    /// Attempts after the first: from 0 to `MOST_RETRIES`.
    pub max_retries: u32,
    pub backoff: BackoffSettings,
}

/// How much load retries may add, for each placement on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudgetSettings {
    /// Share of a retry that each request pays for; 0.2 allows one retry in five requests.
    pub ratio: f64,
    /// Retries per second that are allowed however few requests there are; 0 for none.
    pub min_per_second: f64,
    /// Most retries that can be saved up in quiet times; at least 1.
    pub max_balance: f64,
}

/// What a placement may carry beside its name, kind and URL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlacementResilience {
    /// Of all requests whose routing key leads to this placement.
    pub rate_limit: Option<RateLimitSettings>,
    /// Most requests in flight at one moment (bulkhead); at least 1.
    pub concurrency_limit: Option<u64>,
    pub health: Option<HealthSettings>,
    pub circuit_breaker: Option<CircuitBreakerSettings>,
    /// Placements that may serve in this one's stead, best first; no other one ever does. Each may name its own.
    pub fallback: Vec<String>,
    pub retries: Option<RetrySettings>,
}

/// What the table may carry at its top level.
#[derive(Debug, Clone, Default)]
pub struct TableResilience {
    /// Rate limit of each routing key named here.
    pub key_limits: IndexMap<String, RateLimitSettings>,
    /// One rate limit for all routing keys together that the table does not name anywhere.
    pub unlisted_keys_limit: Option<RateLimitSettings>,
    pub retry_budget: Option<RetryBudgetSettings>,
}

/// A third retry hardly ever succeeds where two failed, and makes an outage dearer for everyone.
pub const MOST_RETRIES: f64 = 2.0;

// #region defaults
impl Default for HealthSettings {
    fn default() -> Self {
        HealthSettings { path: "/health".into(), interval_ms: 2000.0, timeout_ms: 1000.0, rise: 2, fall: 3 }
    }
}

impl Default for CircuitBreakerSettings {
    fn default() -> Self {
        CircuitBreakerSettings {
            consecutive_failures: 5,
            failure_ratio: 0.5,
            window_ms: 10_000.0,
            minimum_requests: 20,
            wait_ms: 5000.0,
            max_wait_ms: 60_000.0,
            half_open_probes: 3,
        }
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings { max_retries: 2, backoff: BackoffSettings { base_ms: 25.0, cap_ms: 250.0 } }
    }
}

impl Default for RetryBudgetSettings {
    fn default() -> Self {
        RetryBudgetSettings { ratio: 0.2, min_per_second: 2.0, max_balance: 10.0 }
    }
}
// #endregion defaults
