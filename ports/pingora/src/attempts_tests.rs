use super::*;
use crate::routing_table::tests::table_of;
use serde_json::{Value, json};

fn attempts_with(method: &str, one: Value) -> (Attempts, Arc<Resilience>) {
    let mut placement = json!({ "kind": "tier", "url": "http://127.0.0.1:9001" });
    for (name, value) in one.as_object().expect("settings") {
        placement[name] = value.clone();
    }
    let table = table_of(json!({
        "version": "1",
        "defaultPlacement": "one",
        "routingTable": {},
        "placements": {
            "one": placement,
            "two": { "kind": "tier", "url": "http://127.0.0.1:9002", "retries": { "maxRetries": 1 } },
        },
    }));
    let resilience = Arc::new(Resilience::new(Arc::new(|_| true), Arc::new(|_, _, _| {})));
    resilience.update(&table, 0.0);
    let primary = table.placements["one"].clone();
    let snapshot = Arc::new(Snapshot { sequence: 1, table: Arc::new(table) });
    let request =
        AttemptedRequest { snapshot, primary, method: method.into(), has_body: method == "POST", started_at_ms: 0.0 };
    (Attempts::new(request, resilience.clone(), Arc::default(), || 0.5), resilience)
}

fn refused() -> Failure {
    Failure { code: &errors::UPSTREAM_UNREACHABLE, cause: "ECONNREFUSED".into(), sent: false }
}

fn broken() -> Failure {
    Failure { code: &errors::UPSTREAM_BROKEN, cause: "ECONNRESET".into(), sent: true }
}

fn step(attempts: &mut Attempts) -> String {
    match attempts.next(0.0) {
        Step::Send(placement) => format!("send to {}", placement.name),
        Step::Wait(ms) => format!("wait {ms}"),
        Step::Refuse { code, .. } => format!("refuse {}", code.code),
        Step::GiveUp(failure) => format!("give up {}", failure.code.code),
    }
}

#[test]
fn one_attempt_is_enough_when_it_goes_well() {
    let (mut attempts, _) = attempts_with("GET", json!({ "retries": {} }));
    assert_eq!(step(&mut attempts), "send to one");
    assert!(attempts.head_arrived(200, false, 0.0));
    assert_eq!((attempts.retries, attempts.failover), (0, None));
}

#[test]
fn without_a_connection_the_chain_serves_at_once_whatever_the_method() {
    let (mut attempts, _) = attempts_with("POST", json!({ "fallback": ["two"] }));
    assert_eq!(step(&mut attempts), "send to one");
    assert!(attempts.failed(refused(), false, 0.0));
    assert_eq!(step(&mut attempts), "send to two");
    assert_eq!(attempts.failover, Some(RefusalReason::ConnectFailed));
    assert_eq!(attempts.retries, 0);
}

#[test]
fn after_the_last_of_the_chain_the_origin_is_tried_again_after_a_delay() {
    let (mut attempts, _) = attempts_with("POST", json!({ "fallback": ["two"], "retries": {} }));
    let mut steps = Vec::new();
    for _ in 0..20 {
        let now = step(&mut attempts);
        let is_send = now.starts_with("send");
        let is_end = now.starts_with("give up");
        steps.push(now);
        if is_end {
            break;
        }
        if is_send {
            attempts.failed(refused(), false, 0.0);
        }
    }
    let expected = [
        "send to one",
        "send to two",
        "wait 12.5",
        "send to one",
        "send to two",
        "wait 25",
        "send to one",
        "send to two",
        "give up upstream-unreachable",
    ];
    assert_eq!(steps, expected);
    assert_eq!(attempts.retries, 2);
}

#[test]
fn a_failure_status_is_withheld_while_it_may_be_tried_again() {
    let (mut attempts, _) = attempts_with("GET", json!({ "retries": { "maxRetries": 1 } }));
    assert_eq!(step(&mut attempts), "send to one");
    assert!(!attempts.head_arrived(503, false, 0.0));
    assert_eq!(step(&mut attempts), "wait 12.5");
    assert_eq!(step(&mut attempts), "send to one");
    assert!(attempts.head_arrived(503, false, 0.0), "the last one is passed on");
    assert_eq!(attempts.retries, 1);
}

#[test]
fn nothing_is_tried_again_that_may_have_had_an_effect_or_has_been_answered() {
    let (mut attempts, _) = attempts_with("POST", json!({ "retries": {} }));
    step(&mut attempts);
    assert!(!attempts.failed(broken(), false, 0.0));
    let (mut attempts, _) = attempts_with("GET", json!({ "retries": {} }));
    step(&mut attempts);
    assert!(!attempts.failed(broken(), true, 0.0), "an interim response has gone to the client");
}

#[test]
fn the_breaker_hears_of_each_attempt_once_and_of_the_clients_faults_never() {
    let (mut attempts, resilience) = attempts_with("GET", json!({ "circuitBreaker": { "consecutiveFailures": 2 } }));
    let state = |resilience: &Resilience| {
        let mut kind = "";
        resilience.each_guard(|name, guard| {
            if let (true, Some(breaker)) = (name == "one", &guard.breaker) {
                kind = breaker.state(0.0).kind();
            }
        });
        kind
    };
    for code in [&errors::REQUEST_TIMEOUT, &errors::MALFORMED_REQUEST, &errors::ROUTER_EXHAUSTED, &errors::ROUTER_FAULT]
    {
        step(&mut attempts);
        assert!(!attempts.failed(Failure { code, ..broken() }, false, 0.0));
    }
    step(&mut attempts);
    attempts.head_arrived(502, false, 0.0);
    attempts.failed(broken(), true, 0.0);
    assert_eq!(state(&resilience), "closed", "one attempt, one failure");
    step(&mut attempts);
    attempts.failed(broken(), false, 0.0);
    assert_eq!(state(&resilience), "open");
    assert_eq!(step(&mut attempts), "refuse circuit-open");
}
