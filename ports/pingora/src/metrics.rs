//! What the router counts, for Prometheus. Every label is a placement of the table or a word of a fixed list: a label made
//! of what clients send, such as the routing key, would grow the memory with every key that somebody invents.

use std::sync::atomic::{AtomicI64, Ordering};

use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::access_log::AccessEntry;
use crate::circuit_breaker::{AttemptOutcome, BreakerState};
use crate::resilience::Resilience;

/// From a head to the end of its response, in seconds.
const DURATION_BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

// #region metrics
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    refusals: IntCounterVec,
    attempts: IntCounterVec,
    retries: IntCounterVec,
    failovers: IntCounterVec,
    duration: HistogramVec,
    in_flight: GaugeVec,
    healthy: GaugeVec,
    breaker_state: GaugeVec,
    log_lines_dropped: IntCounter,
    /// Requests under way; not told, because `in_flight` tells it by placement.
    under_way: AtomicI64,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(named(name, help), labels).expect("the name and labels are well-formed");
            register(&registry, &counter);
            counter
        };
        let gauge = |name: &str, help: &str| {
            let gauge = GaugeVec::new(named(name, help), &["placement"]).expect("the name is well-formed");
            register(&registry, &gauge);
            gauge
        };
        let duration =
            HistogramOpts::new("cell_router_request_duration_seconds", "From a head to the end of its response.")
                .buckets(DURATION_BUCKETS.to_vec());
        let duration = HistogramVec::new(duration, &["placement"]).expect("the name is well-formed");
        register(&registry, &duration);
        let log_lines_dropped =
            IntCounter::with_opts(named("log_lines_dropped_total", "Log lines that could not be written."))
                .expect("the name is well-formed");
        register(&registry, &log_lines_dropped);
        Metrics {
            requests: counter(
                "requests_total",
                "Requests by the placement routed to.",
                &["placement", "status", "outcome"],
            ),
            refusals: counter("refusals_total", "Responses that the router made itself, by code.", &["code"]),
            attempts: counter("attempts_total", "Attempts at cells.", &["placement", "result"]),
            retries: counter("retries_total", "Retries by placement.", &["placement"]),
            failovers: counter("failovers_total", "Requests served elsewhere.", &["from", "to", "reason"]),
            duration,
            in_flight: gauge("in_flight", "Requests in flight by placement."),
            healthy: gauge("healthy", "1 while the active health check says so."),
            breaker_state: gauge("breaker_state", "0 closed, 1 half-open, 2 open."),
            log_lines_dropped,
            under_way: AtomicI64::new(0),
            registry,
        }
    }
}

impl Metrics {
    pub fn request_began(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub fn under_way(&self) -> i64 {
        self.under_way.load(Ordering::Relaxed)
    }

    pub fn request_ended(&self, entry: &AccessEntry<'_>) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let placement = entry.placement.unwrap_or("none");
        let status = status_class(entry.status);
        self.requests.with_label_values(&[placement, status, entry.outcome.as_str()]).inc();
        if let Some(code) = entry.code {
            self.refusals.with_label_values(&[code]).inc();
        }
        if entry.placement.is_some() {
            self.duration.with_label_values(&[placement]).observe(entry.duration_ms / 1000.0);
        }
        if let (Some(served_by), Some(reason)) = (entry.served_by, entry.failover_reason) {
            self.failovers.with_label_values(&[placement, served_by, reason]).inc();
        }
    }

    pub fn attempt_ended(&self, placement: &str, outcome: AttemptOutcome) {
        let result = match outcome {
            AttemptOutcome::Success => "success",
            AttemptOutcome::Failure => "failure",
            AttemptOutcome::Abandoned => "abandoned",
        };
        self.attempts.with_label_values(&[placement, result]).inc();
    }

    pub fn retried(&self, placement: &str) {
        self.retries.with_label_values(&[placement]).inc();
    }

    /// The text format of Prometheus. Gauges are read when somebody asks: nothing to keep in step, and a placement that is
    /// gone leaves no trace.
    pub fn text(&self, resilience: &Resilience, lines_dropped: u64, now_ms: f64) -> String {
        for gauge in [&self.in_flight, &self.healthy, &self.breaker_state] {
            gauge.reset();
        }
        resilience.each_guard(|placement, guard| {
            let label = &[placement];
            self.in_flight.with_label_values(label).set(guard.limit.in_flight() as f64);
            self.healthy.with_label_values(label).set(f64::from(u8::from(resilience.is_healthy(placement))));
            if let Some(breaker) = &guard.breaker {
                self.breaker_state.with_label_values(label).set(breaker_value(breaker.state(now_ms)));
            }
        });
        self.log_lines_dropped.inc_by(lines_dropped.saturating_sub(self.log_lines_dropped.get()));
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}
// #endregion metrics

fn named(name: &str, help: &str) -> Opts {
    Opts::new(format!("cell_router_{name}"), help)
}

fn register(registry: &Registry, collector: &(impl prometheus::core::Collector + Clone + 'static)) {
    registry.register(Box::new(collector.clone())).expect("no two metrics have one name");
}

fn status_class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        0 => "0xx",
        _ => "other",
    }
}

fn breaker_value(state: BreakerState) -> f64 {
    match state {
        BreakerState::Closed { .. } => 0.0,
        BreakerState::HalfOpen { .. } => 1.0,
        BreakerState::Open { .. } => 2.0,
    }
}
