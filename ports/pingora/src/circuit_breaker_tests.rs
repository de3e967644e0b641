use super::AttemptOutcome::{Abandoned, Failure, Success};
use super::*;
use proptest::prelude::*;

fn settings() -> CircuitBreakerSettings {
    CircuitBreakerSettings {
        consecutive_failures: 3,
        failure_ratio: 0.5,
        window_ms: 10_000.0,
        minimum_requests: 10,
        wait_ms: 1000.0,
        max_wait_ms: 3000.0,
        half_open_probes: 2,
    }
}

fn attempt(breaker: &mut CircuitBreaker, outcome: AttemptOutcome, now_ms: f64) {
    let permit = breaker.allow(now_ms).expect("a permit");
    breaker.record(permit, outcome, now_ms);
}

fn opened(now_ms: f64) -> CircuitBreaker {
    let mut breaker = CircuitBreaker::new(settings());
    for _ in 0..3 {
        attempt(&mut breaker, Failure, now_ms);
    }
    assert_eq!(breaker.state(now_ms).kind(), "open");
    breaker
}

#[test]
fn opens_at_failures_in_a_row_and_not_at_failures_apart() {
    let mut breaker = CircuitBreaker::new(settings());
    for outcome in [Failure, Failure, Success, Failure, Abandoned, Failure] {
        attempt(&mut breaker, outcome, 0.0);
        assert_eq!(breaker.state(0.0).kind(), "closed");
    }
    attempt(&mut breaker, Failure, 0.0);
    assert_eq!(breaker.allow(0.0), Err(BreakerRefusal { retry_after_ms: 1000.0 }));
    assert_eq!(breaker.allow(999.5), Err(BreakerRefusal { retry_after_ms: 1.0 }));
}

#[test]
fn opens_at_the_ratio_once_the_window_holds_enough() {
    let mut breaker = CircuitBreaker::new(settings());
    for n in 0..9 {
        attempt(&mut breaker, if n % 2 == 0 { Failure } else { Success }, 0.0);
    }
    assert_eq!(breaker.state(0.0).kind(), "closed");
    attempt(&mut breaker, Failure, 0.0);
    assert_eq!(breaker.state(0.0).kind(), "open");
}

#[test]
fn lets_exactly_as_many_probes_through_and_closes_when_all_succeed() {
    let mut breaker = opened(0.0);
    let first = breaker.allow(1000.0).expect("the first probe");
    let second = breaker.allow(1000.0).expect("the second probe");
    assert!(breaker.allow(1000.0).is_err());
    breaker.record(first, Success, 1001.0);
    assert!(breaker.allow(1001.0).is_err(), "a success keeps its slot");
    breaker.record(second, Success, 1002.0);
    assert_eq!(breaker.state(1002.0).kind(), "closed");
}

#[test]
fn an_abandoned_probe_frees_its_slot() {
    let mut breaker = opened(0.0);
    let first = breaker.allow(1000.0).expect("a probe");
    let _second = breaker.allow(1000.0).expect("a probe");
    breaker.record(first, Abandoned, 1001.0);
    assert!(breaker.allow(1001.0).is_ok());
    assert!(breaker.allow(1001.0).is_err());
}

#[test]
fn doubles_the_wait_up_to_the_cap_while_probes_fail() {
    let mut breaker = opened(0.0);
    let mut now_ms = 0.0;
    for wait_ms in [1000.0, 2000.0, 3000.0, 3000.0] {
        assert!(breaker.allow(now_ms + wait_ms - 1.0).is_err());
        now_ms += wait_ms;
        attempt(&mut breaker, Failure, now_ms);
    }
}

#[test]
fn ignores_a_result_from_an_older_state() {
    let mut breaker = CircuitBreaker::new(settings());
    let late = breaker.allow(0.0).expect("a permit");
    for _ in 0..3 {
        attempt(&mut breaker, Failure, 0.0);
    }
    breaker.record(late, Success, 1.0);
    assert_eq!(breaker.state(1.0).kind(), "open");
}

#[test]
fn closes_when_a_push_asks_for_fewer_probes_than_have_passed() {
    let mut breaker = opened(0.0);
    attempt(&mut breaker, Success, 1000.0);
    breaker.reconfigure(CircuitBreakerSettings { half_open_probes: 1, ..settings() });
    assert_eq!(breaker.state(1000.0).kind(), "closed");
}

#[test]
fn tells_each_transition_once_and_in_order() {
    let mut breaker = opened(0.0);
    attempt(&mut breaker, Failure, 1000.0);
    let kinds: Vec<_> = breaker.take_transitions().iter().map(|t| (t.from.kind(), t.to.kind())).collect();
    assert_eq!(kinds, [("closed", "open"), ("open", "half-open"), ("half-open", "open")]);
    assert!(breaker.take_transitions().is_empty());
}

proptest! {
    /// Permits are kept for a while and told in any order, as requests of different lengths do.
    #[test]
    fn never_lets_more_probes_through_than_it_may(
        steps in prop::collection::vec((0usize..4, 0usize..8, 0.0f64..700.0), 1..300),
    ) {
        let mut breaker = CircuitBreaker::new(settings());
        let mut held: Vec<(BreakerPermit, u64)> = Vec::new();
        let mut now_ms = 0.0;
        for (action, which, gap) in steps {
            now_ms += gap;
            if action == 0 || held.is_empty() {
                if let Ok(permit) = breaker.allow(now_ms) {
                    let generation = breaker.generation;
                    held.push((permit, generation));
                }
            } else {
                let (permit, _) = held.swap_remove(which % held.len());
                breaker.record(permit, [Success, Failure, Abandoned][action - 1], now_ms);
            }
            if let BreakerState::HalfOpen { probes_in_flight, successes, .. } = breaker.state(now_ms) {
                prop_assert!(probes_in_flight + successes <= 2);
                if matches!(breaker.state, BreakerState::HalfOpen { .. }) {
                    let out = held.iter().filter(|(_, generation)| *generation == breaker.generation).count();
                    prop_assert_eq!(out as u32, probes_in_flight, "a probe that came back freed its slot");
                }
            }
            if let BreakerState::Open { wait_ms, .. } = breaker.state {
                prop_assert!((1000.0..=3000.0).contains(&wait_ms));
            }
        }
    }
}
