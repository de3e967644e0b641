//! What `/debug/config` shows of the table in use, without the routing keys: they can be many, and they are tenants' names.

use serde_json::{Map, Number, Value, json};

use crate::resilience_settings::{CircuitBreakerSettings, HealthSettings, RetrySettings};
use crate::routing_table::{Placement, PlacementKind, RoutingTable};

pub fn overview(table: &RoutingTable) -> Map<String, Value> {
    let placements: Vec<Value> = table.placements.values().map(|placement| placement_json(placement)).collect();
    let mut fields = Map::new();
    fields.insert("defaultPlacement".into(), json!(table.default_placement.name));
    fields.insert("placements".into(), Value::Array(placements));
    fields.insert("routingKeys".into(), json!(table.placement_by_key.len()));
    fields
}

fn placement_json(placement: &Placement) -> Value {
    let settings = &placement.resilience;
    let kind = if placement.kind == PlacementKind::Dedicated { "dedicated" } else { "tier" };
    let mut value = json!({ "name": placement.name, "kind": kind, "url": placement.endpoint.url });
    if let Some(limit) = settings.rate_limit {
        value["rateLimit"] = json!({ "ratePerSecond": number(limit.rate_per_second), "burst": number(limit.burst) });
    }
    if let Some(limit) = settings.concurrency_limit {
        value["concurrencyLimit"] = json!(limit);
    }
    if let Some(HealthSettings { path, interval_ms, timeout_ms, rise, fall }) = &settings.health {
        value["health"] = json!({
            "path": path, "intervalMs": number(*interval_ms), "timeoutMs": number(*timeout_ms), "rise": rise, "fall": fall,
        });
    }
    if let Some(breaker) = &settings.circuit_breaker {
        value["circuitBreaker"] = breaker_json(breaker);
    }
    if !settings.fallback.is_empty() {
        value["fallback"] = json!(settings.fallback);
    }
    if let Some(RetrySettings { max_retries, backoff }) = settings.retries {
        value["retries"] = json!({
            "maxRetries": max_retries, "baseMs": number(backoff.base_ms), "capMs": number(backoff.cap_ms),
        });
    }
    value
}

fn breaker_json(breaker: &CircuitBreakerSettings) -> Value {
    json!({
        "consecutiveFailures": breaker.consecutive_failures,
        "failureRatio": number(breaker.failure_ratio),
        "windowMs": number(breaker.window_ms),
        "minimumRequests": breaker.minimum_requests,
        "waitMs": number(breaker.wait_ms),
        "maxWaitMs": number(breaker.max_wait_ms),
        "halfOpenProbes": breaker.half_open_probes,
    })
}

/// `5` and not `5.0`, as people write it.
fn number(value: f64) -> Value {
    let whole = value.fract() == 0.0 && value.abs() < 9e15;
    if whole { json!(value as i64) } else { Number::from_f64(value).map_or(Value::Null, Value::Number) }
}
