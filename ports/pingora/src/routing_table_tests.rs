use super::*;
use crate::resilience_settings::{CircuitBreakerSettings, HealthSettings, RetryBudgetSettings, RetrySettings};
use serde_json::json;

const ALL: Rules = Rules { resilience: true };

/// The table of a document that is known to be valid.
pub fn table_of(document: Value) -> RoutingTable {
    parse_routing_table(&document, ALL).unwrap_or_else(|faults| panic!("{}", faults.join("\n")))
}

fn example() -> Value {
    json!({
        "version": "1.0.0",
        "defaultPlacement": "tier3",
        "routingTable": { "visa": "visa", "acme": "tier1" },
        "placements": {
            "visa": { "kind": "dedicated", "url": "http://127.0.0.1:9004" },
            "tier1": { "kind": "tier", "url": "http://127.0.0.1:9001" },
            "tier3": { "kind": "tier", "url": "http://127.0.0.1:9003" },
        },
    })
}

fn faults_with(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = example();
    change(&mut document);
    parse_routing_table(&document, ALL).err().unwrap_or_default()
}

fn set(path: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |document| {
        let (parents, name) = path.rsplit_once('/').expect("a path with a slash");
        let parent = document.pointer_mut(parents).expect("the parent");
        parent[name] = value;
    }
}

#[test]
fn reads_a_document_that_routes_as_it_says() {
    let table = table_of(example());
    assert_eq!(table.placement_by_key["acme"].endpoint.url, "http://127.0.0.1:9001");
    assert_eq!(table.default_placement.name, "tier3");
    assert!(Arc::ptr_eq(&table.placement_by_key["acme"], &table.placements["tier1"]));
}

#[test]
fn names_every_fault_with_its_path() {
    let cases: Vec<(Vec<String>, &str)> = vec![
        (faults_with(set("/routingTable/acme", json!("tier9"))), r#"routingTable.acme: unknown placement "tier9""#),
        (faults_with(set("/defaultPlacement", json!("tier9"))), r#"defaultPlacement: unknown placement "tier9""#),
        (
            faults_with(set("/defaultPlacement", json!("visa"))),
            r#"defaultPlacement: "visa" is one tenant's own; name a tier"#,
        ),
        (faults_with(set("/version", json!(7))), "version: expected a string, got 7"),
        (faults_with(set("/version", json!(""))), "version: must not be empty"),
        (faults_with(set("/routingTable", json!([]))), "routingTable: expected an object, got a list"),
        (faults_with(set("/routingTable/acme", json!(["tier1"]))), "routingTable.acme: expected a string, got a list"),
        (faults_with(set("/routingTable/", json!("tier1"))), r#"routingTable[""]: must not be empty"#),
        (
            faults_with(set("/routingTable/ acme", json!("tier1"))),
            r#"routingTable[" acme"]: no request can carry this key: outer space, a control character, or U+FFFD for broken UTF-8"#,
        ),
        (
            faults_with(set("/routingTable/ac\nme", json!("tier1"))),
            r#"routingTable["ac\nme"]: no request can carry this key: outer space, a control character, or U+FFFD for broken UTF-8"#,
        ),
        (
            faults_with(set("/routingTable/ac\u{fffd}", json!("tier1"))),
            "routingTable[\"ac\u{fffd}\"]: no request can carry this key: outer space, a control character, or U+FFFD for broken UTF-8",
        ),
        (faults_with(set("/placements/tier1", json!(null))), "placements.tier1: expected an object, got null"),
        (faults_with(set("/placements/tier1/url", json!(null))), "placements.tier1.url: expected a string, got null"),
        (
            faults_with(set("/placements/tier1/kind", json!("shared"))),
            r#"placements.tier1.kind: expected "dedicated" or "tier", got "shared""#,
        ),
        (faults_with(set("/placements/tier1/ur", json!(1))), "placements.tier1.ur: unknown property"),
        (faults_with(set("/placments", json!({}))), "placments: unknown property"),
        (
            faults_with(set("/placements/tier1/url", json!("http://localhost:9004"))),
            r#"placements.tier1.url: "http://localhost:9004" is the endpoint of "visa": "tier1" would share its dedicated cell"#,
        ),
    ];
    for (faults, expected) in cases {
        assert_eq!(faults, [expected]);
    }
    assert_eq!(
        parse_routing_table(&json!([]), ALL).err(),
        Some(vec!["(document): expected an object, got a list".into()])
    );
}

#[test]
fn names_all_faults_at_once() {
    let faults = faults_with(|document| {
        document["defaultPlacement"] = json!("nowhere");
        document["routingTable"]["acme"] = json!("elsewhere");
        document["placements"]["tier1"] = json!({ "kind": "shared", "url": "ftp://x" });
        document["extra"] = json!(true);
    });
    let paths: Vec<&str> = faults.iter().filter_map(|fault| fault.split(": ").next()).collect();
    assert_eq!(
        paths,
        ["defaultPlacement", "routingTable.acme", "placements.tier1.kind", "placements.tier1.url", "extra"]
    );
}

#[test]
fn measures_a_key_in_bytes() {
    for (key, fits) in [("k".repeat(256), true), ("k".repeat(257), false), ("é".repeat(129), false)] {
        let faults = faults_with(|document| document["routingTable"][&key] = json!("tier1"));
        assert_eq!(faults.is_empty(), fits, "{faults:?}");
    }
}

#[test]
fn completes_resilience_settings_with_their_defaults() {
    let empty =
        json!({ "kind": "tier", "url": "http://127.0.0.1:9001", "health": {}, "circuitBreaker": {}, "retries": {} });
    let mut document = example();
    document["placements"]["tier1"] = empty;
    document["retryBudget"] = json!({});
    let table = table_of(document);
    let resilience = &table.placements["tier1"].resilience;
    assert_eq!(resilience.health, Some(HealthSettings::default()));
    assert_eq!(resilience.circuit_breaker, Some(CircuitBreakerSettings::default()));
    assert_eq!(resilience.retries, Some(RetrySettings::default()));
    assert_eq!(table.resilience.retry_budget, Some(RetryBudgetSettings::default()));
}

#[test]
fn refuses_resilience_settings_out_of_bounds() {
    let cases = [
        ("/placements/tier1/rateLimit", json!({ "ratePerSecond": null, "burst": 1 }), "rateLimit.ratePerSecond"),
        ("/placements/tier1/rateLimit", json!({ "ratePerSecond": 0, "burst": 1 }), "rateLimit.ratePerSecond"),
        ("/placements/tier1/rateLimit", json!({ "ratePerSecond": 1, "burst": 0.5 }), "rateLimit.burst"),
        ("/placements/tier1/concurrencyLimit", json!(null), "concurrencyLimit"),
        ("/placements/tier1/concurrencyLimit", json!(1.5), "concurrencyLimit"),
        ("/placements/tier1/circuitBreaker", json!({ "waitMs": 0 }), "circuitBreaker.waitMs"),
        ("/placements/tier1/circuitBreaker", json!({ "halfOpenProbes": 0 }), "circuitBreaker.halfOpenProbes"),
        ("/placements/tier1/retries", json!({ "capMs": -1 }), "retries.capMs"),
        ("/placements/tier1/retries", json!({ "maxRetries": 3 }), "retries.maxRetries"),
        ("/placements/tier1/fallback", json!([1]), "fallback.0"),
        ("/placements/tier1/fallback", json!(["tier9"]), "fallback.0"),
        ("/placements/tier1/retrys", json!({}), "retrys"),
        ("/placements/tier1/health", json!({ "path": "//elsewhere" }), "health.path"),
    ];
    for (path, value, at) in cases {
        let faults = faults_with(set(path, value));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(&format!("placements.tier1.{at}: ")), "{faults:?}");
    }
}

#[test]
fn leaves_the_settings_of_m4_to_m4() {
    let mut document = example();
    document["placements"]["tier1"]["retries"] = json!({});
    document["keyLimits"] = json!({});
    let faults = parse_routing_table(&document, Rules { resilience: false }).err().unwrap_or_default();
    assert_eq!(faults, ["placements.tier1.retries: unknown property", "keyLimits: unknown property"]);
}

#[test]
fn probes_stay_at_the_cell() {
    for path in ["/", "/health", "/a/b?c=d&e=%20", "/health;v=1", "/\""] {
        assert!(resilience_schema::is_probe_path(path), "{path}");
    }
    for path in ["", "health", "//elsewhere", "/\\elsewhere", "/a b", "/a\r\nX: y", "/ä", "/a#b", "http://x/"] {
        assert!(!resilience_schema::is_probe_path(path), "{path:?}");
    }
}

#[test]
fn a_table_of_a_million_faults_costs_a_hundred() {
    let keys: serde_json::Map<String, Value> = (0..100_000).map(|n| (format!("k{n}"), json!("nowhere"))).collect();
    assert_eq!(faults_with(|document| document["routingTable"] = Value::Object(keys)).len(), 101);
}
