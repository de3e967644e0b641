//! The routing table: which placement serves which routing key, and where each placement lives. Owns the types and what
//! makes a document a valid table. It leaves the decision to `routing.rs`, and where a document comes from to its source.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::fallback_faults::{Chained, find_fallback_faults};
use crate::resilience_schema;
use crate::resilience_settings::{PlacementResilience, TableResilience};
use crate::validation::{Faults, Fields, Path, expected, quoted};

/// Upper bound of a routing key, in bytes.
pub const MAX_ROUTING_KEY_BYTES: usize = 256;

/// `Dedicated`: one tenant's own cell. `Tier`: a cell that several tenants share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementKind {
    Dedicated,
    Tier,
}

/// A failure domain that can serve tenants.
#[derive(Debug, Clone)]
pub struct Placement {
    pub name: String,
    pub kind: PlacementKind,
    pub endpoint: Endpoint,
    pub resilience: PlacementResilience,
}

/// One immutable routing table. Replaced whole, never edited in place.
#[derive(Debug)]
pub struct RoutingTable {
    pub version: String,
    /// Serves every routing key that the table does not list.
    pub default_placement: Arc<Placement>,
    pub placements: IndexMap<String, Arc<Placement>>,
    pub placement_by_key: HashMap<String, Arc<Placement>>,
    pub resilience: TableResilience,
}

/// Which settings a document may have: those of m4 are unknown properties to m2 and m3.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub resilience: bool,
}

// #region parse
/// Reads a document as a routing table, whole or not at all: a table with one good half would route the other half's
/// tenants wrongly. The error names every fault with its path: `placements.acme.url: …`.
pub fn parse_routing_table(document: &Value, rules: Rules) -> Result<RoutingTable, Vec<String>> {
    let mut faults = Faults::default();
    let table = read_document(document, rules, &mut faults);
    match table {
        Some(table) if faults.count() == 0 => Ok(table),
        _ => Err(faults.into_lines()),
    }
}

/// What a document claims each placement's kind to be, by name. Read before validation, so that one pass finds faults of
/// form and of reference alike.
type Kinds<'a> = IndexMap<&'a str, Option<&'a str>>;

fn read_document(document: &Value, rules: Rules, faults: &mut Faults) -> Option<RoutingTable> {
    let root = Path::DOCUMENT;
    let kinds: Kinds<'_> = match document.get("placements") {
        Some(Value::Object(members)) => {
            members.iter().map(|(name, each)| (name.as_str(), each.get("kind").and_then(Value::as_str))).collect()
        }
        _ => Kinds::new(),
    };
    let mut fields = Fields::of(Some(document), &root, faults)?;
    if let Some(schema) = fields.get("$schema").filter(|schema| !schema.is_string()) {
        faults.add(&fields.path("$schema"), expected("a string", Some(schema)));
    }
    let version = fields.text("version", faults).unwrap_or_default();
    if version.is_empty() && fields.get("version").is_some_and(Value::is_string) {
        faults.add(&fields.path("version"), "must not be empty");
    }
    let default_name = read_default_placement(&mut fields, &kinds, faults);
    let keys = read_routing_keys(&mut fields, &kinds, faults);
    let placements = read_placements(&mut fields, &kinds, rules, faults);
    let resilience =
        if rules.resilience { resilience_schema::read_table(&mut fields, faults) } else { Default::default() };
    fields.finish(faults);
    if faults.count() > 0 {
        return None;
    }
    let named = |name: &str| placements.get(name).cloned();
    let placement_by_key =
        keys.into_iter().map(|(key, name)| Some((key.to_owned(), named(name)?))).collect::<Option<_>>()?;
    let default_placement = named(default_name?)?;
    Some(RoutingTable { version: version.to_owned(), default_placement, placement_by_key, placements, resilience })
}
// #endregion parse

fn read_default_placement<'a>(fields: &mut Fields<'a>, kinds: &Kinds<'_>, faults: &mut Faults) -> Option<&'a str> {
    let name = fields.text("defaultPlacement", faults)?;
    let path = fields.path("defaultPlacement");
    match kinds.get(name) {
        None => faults.add(&path, format!("unknown placement {}", quoted(&name.into()))),
        // With a dedicated placement here, every stranger would reach one tenant's own cell.
        Some(Some("dedicated")) => {
            faults.add(&path, format!("{} is one tenant's own; name a tier", quoted(&name.into())));
        }
        Some(_) => {}
    }
    Some(name)
}

fn read_routing_keys<'a>(fields: &mut Fields<'a>, kinds: &Kinds<'_>, faults: &mut Faults) -> Vec<(&'a str, &'a str)> {
    let path = fields.path("routingTable");
    let members = match fields.get("routingTable") {
        Some(Value::Object(members)) => members,
        other => {
            faults.add(&path, expected("an object", other));
            return Vec::new();
        }
    };
    let mut keys = Vec::with_capacity(members.len());
    for (key, placement) in members {
        let path = path.child(key);
        if let Some(fault) = routing_key_fault(key) {
            faults.add(&path, fault);
        }
        match placement {
            Value::String(name) if kinds.contains_key(name.as_str()) => keys.push((key.as_str(), name.as_str())),
            Value::String(_) => faults.add(&path, format!("unknown placement {}", quoted(placement))),
            other => faults.add(&path, expected("a string", Some(other))),
        }
    }
    keys
}

/// A key that a request can carry: see `request_head.rs`; and HTTP trims spaces, so with some it would never match.
fn routing_key_fault(key: &str) -> Option<String> {
    let is_space = |c: char| c.is_whitespace() || c == '\u{feff}';
    if key.is_empty() {
        return Some("must not be empty".into());
    }
    if key.len() > MAX_ROUTING_KEY_BYTES {
        return Some(format!("a routing key has at most {MAX_ROUTING_KEY_BYTES} bytes"));
    }
    // With U+FFFD, all broken UTF-8 would match.
    let is_unfit = |c: char| c.is_control() || c == '\u{fffd}';
    let unfit = key.starts_with(is_space) || key.ends_with(is_space) || key.contains(is_unfit);
    unfit.then(|| "no request can carry this key: outer space, a control character, or U+FFFD for broken UTF-8".into())
}

fn read_placements(
    fields: &mut Fields<'_>,
    kinds: &Kinds<'_>,
    rules: Rules,
    faults: &mut Faults,
) -> IndexMap<String, Arc<Placement>> {
    let path = fields.path("placements");
    let mut placements = IndexMap::new();
    let members = match fields.get("placements") {
        Some(Value::Object(members)) => members,
        other => {
            faults.add(&path, expected("an object", other));
            return placements;
        }
    };
    for (name, value) in members {
        let path = path.child(name);
        if !is_placement_name(name) {
            let rule = "has up to 64 letters, digits, dots, dashes and underscores, a letter or digit first";
            faults.add(&path, format!("a placement's name {rule}"));
        }
        if let Some(placement) = read_placement(name, value, &path, rules, faults) {
            placements.insert(name.clone(), Arc::new(placement));
        }
    }
    check_dedicated_endpoints(&placements, &path, faults);
    check_fallbacks(&placements, kinds, &path, faults);
    placements
}

/// Sent as `X-Routed-To`: it must be safe in a header field, and in a log line and a metric's label too.
fn is_placement_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn read_placement(name: &str, value: &Value, path: &Path<'_>, rules: Rules, faults: &mut Faults) -> Option<Placement> {
    let before = faults.count();
    let mut fields = Fields::of(Some(value), path, faults)?;
    let kind = match fields.get("kind").and_then(Value::as_str) {
        Some("dedicated") => Some(PlacementKind::Dedicated),
        Some("tier") => Some(PlacementKind::Tier),
        _ => {
            faults.add(&fields.path("kind"), expected("\"dedicated\" or \"tier\"", fields.get("kind")));
            None
        }
    };
    let url = fields.get("url");
    let endpoint = match url {
        Some(Value::String(text)) => Endpoint::parse(text),
        _ => None,
    };
    if endpoint.is_none() {
        let rule = match url {
            Some(Value::String(_)) => "http://host:port without path, query or credentials",
            _ => "a string",
        };
        // What is wrong with a table is logged: a password is not repeated.
        let is_secret = matches!(url, Some(Value::String(text)) if text.contains('@'));
        let words = if is_secret { format!("expected {rule}") } else { expected(rule, url) };
        faults.add(&fields.path("url"), words);
    }
    let resilience =
        if rules.resilience { resilience_schema::read_placement(&mut fields, faults) } else { Default::default() };
    fields.finish(faults);
    let sound = faults.count() == before;
    Some(Placement { name: name.to_owned(), kind: kind?, endpoint: endpoint?, resilience }).filter(|_| sound)
}

// #region isolation
/// What shares an endpoint shares its cell, and a dedicated cell is one tenant's own. Compared by what is dialled: two
/// spellings of one address are one cell.
fn check_dedicated_endpoints(placements: &IndexMap<String, Arc<Placement>>, path: &Path<'_>, faults: &mut Faults) {
    let dedicated = placements.values().filter(|each| each.kind == PlacementKind::Dedicated);
    let owners: HashMap<String, &str> = dedicated.map(|each| (each.endpoint.dialled(), each.name.as_str())).collect();
    for (name, placement) in placements {
        let Some(owner) = owners.get(&placement.endpoint.dialled()).filter(|owner| *owner != name) else { continue };
        let url = quoted(&Value::from(placement.endpoint.url.as_str()));
        let fault = format!(
            "{url} is the endpoint of {}: {} would share its dedicated cell",
            quoted(&Value::from(*owner)),
            quoted(&Value::from(name.as_str()))
        );
        faults.add(&path.child(name).child("url"), fault);
    }
}
// #endregion isolation

fn check_fallbacks(
    placements: &IndexMap<String, Arc<Placement>>,
    kinds: &Kinds<'_>,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    // A placement that has a fault of its own is there all the same, for those that fall back to it.
    let chained = kinds.iter().map(|(name, kind)| {
        let kind = if *kind == Some("dedicated") { PlacementKind::Dedicated } else { PlacementKind::Tier };
        let fallback = placements.get(*name).map(|each| each.resilience.fallback.clone()).unwrap_or_default();
        (name.to_string(), Chained { kind, fallback })
    });
    for fault in find_fallback_faults(&chained.collect()) {
        let index = fault.index.to_string();
        faults.add(&path.child(&fault.placement).child("fallback").child(&index), fault.message);
    }
}

#[cfg(test)]
#[path = "routing_table_tests.rs"]
pub mod tests;
