use super::*;
use crate::routing_table::tests::table_of;
use serde_json::{Value, json};

fn table(url: &str, settings: Value) -> RoutingTable {
    let mut one = json!({ "kind": "tier", "url": url });
    for (name, value) in settings.as_object().expect("settings") {
        one[name] = value.clone();
    }
    table_of(json!({
        "version": "1",
        "defaultPlacement": "one",
        "routingTable": { "acme": "one" },
        "placements": { "one": one, "two": { "kind": "tier", "url": "http://127.0.0.1:9002", "concurrencyLimit": 1 } },
        "unlistedKeysLimit": { "ratePerSecond": 1, "burst": 2 },
    }))
}

const URL: &str = "http://127.0.0.1:9001";

type Heard = Arc<Mutex<Vec<String>>>;

fn resilience() -> (Resilience, Heard) {
    let heard = Heard::default();
    let hears = heard.clone();
    let on_breaker: BreakerListener = Arc::new(move |name, to, from| {
        hears.lock().push(format!("{name} {} → {}", from.kind(), to.kind()));
    });
    (Resilience::new(Arc::new(|name| name != "sick"), on_breaker), heard)
}

fn admit(resilience: &Resilience, table: &RoutingTable, now_ms: f64) -> (TargetChoice, Admission) {
    resilience.admit(table, &table.placements["one"], &HashMap::new(), now_ms)
}

fn fail(resilience: &Resilience, table: &RoutingTable, times: usize) {
    for _ in 0..times {
        let (_, mut admission) = admit(resilience, table, 0.0);
        admission.record(AttemptOutcome::Failure, 0.0);
    }
}

#[test]
fn keys_that_the_table_does_not_name_share_one_bucket() {
    let (resilience, _) = resilience();
    let table = table(URL, json!({}));
    resilience.update(&table, 0.0);
    let one = &table.placements["one"];
    let take = |key: &str| resilience.try_take(&table, key, one, 0.0) == TakeResult::Taken;
    assert!(take("invented-1") && take("invented-2") && !take("invented-3"));
    assert!((0..10).all(|_| take("acme")), "a routed key stays out of it");
}

#[test]
fn a_breaker_keeps_its_state_over_a_push_and_loses_it_with_the_url() {
    let (resilience, heard) = resilience();
    let breaking = table(URL, json!({ "circuitBreaker": { "consecutiveFailures": 2 } }));
    resilience.update(&breaking, 0.0);
    fail(&resilience, &breaking, 2);
    assert_eq!(*heard.lock(), ["one closed → open"]);
    resilience.update(&breaking, 0.0);
    assert!(matches!(
        admit(&resilience, &breaking, 1.0).0,
        TargetChoice::None { reason: RefusalReason::CircuitOpen, .. }
    ));
    let moved = table("http://127.0.0.1:9009", json!({ "circuitBreaker": { "consecutiveFailures": 2 } }));
    resilience.update(&moved, 0.0);
    assert!(matches!(admit(&resilience, &moved, 1.0).0, TargetChoice::Origin));
    assert!(matches!(admit(&resilience, &breaking, 1.0).0, TargetChoice::Origin), "by the old table: unguarded");
}

#[test]
fn a_breaker_that_left_the_table_says_nothing_more() {
    let (resilience, heard) = resilience();
    let breaking = table(URL, json!({ "circuitBreaker": { "consecutiveFailures": 1 } }));
    resilience.update(&breaking, 0.0);
    let (_, mut late) = admit(&resilience, &breaking, 0.0);
    resilience.update(&table(URL, json!({})), 0.0);
    late.record(AttemptOutcome::Failure, 0.0);
    assert!(heard.lock().is_empty());
}

#[test]
fn an_admission_that_is_dropped_frees_its_probe_and_its_place() {
    let (resilience, _) = resilience();
    let settings = json!({ "circuitBreaker": { "consecutiveFailures": 1, "waitMs": 10, "halfOpenProbes": 1 }, "fallback": ["two"] });
    let table = table(URL, settings);
    resilience.update(&table, 0.0);
    fail(&resilience, &table, 1);
    let (choice, place) = admit(&resilience, &table, 1.0);
    assert!(matches!(&choice, TargetChoice::Fallback { target, .. } if target.name == "two"));
    assert!(matches!(admit(&resilience, &table, 1.0).0, TargetChoice::None { .. }), "two is full");
    drop(place);
    assert!(matches!(admit(&resilience, &table, 1.0).0, TargetChoice::Fallback { .. }));
    let (choice, probe) = admit(&resilience, &table, 11.0);
    assert!(matches!(choice, TargetChoice::Origin));
    assert!(matches!(admit(&resilience, &table, 11.0).0, TargetChoice::Fallback { .. }), "the one probe is out");
    drop(probe);
    assert!(matches!(admit(&resilience, &table, 11.0).0, TargetChoice::Origin));
}

#[test]
fn a_lowered_limit_counts_what_is_out() {
    let (resilience, _) = resilience();
    let wide = table(URL, json!({ "concurrencyLimit": 3 }));
    resilience.update(&wide, 0.0);
    let guard = resilience.guard(&wide.placements["one"]);
    let out: Vec<_> = (0..3).filter_map(|_| guard.limit.try_acquire()).collect();
    resilience.update(&table(URL, json!({ "concurrencyLimit": 1 })), 0.0);
    assert!(guard.limit.try_acquire().is_none());
    drop(out);
    assert!(guard.limit.try_acquire().is_some());
}
