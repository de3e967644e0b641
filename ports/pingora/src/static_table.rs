//! The routing table that is built into m1.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::endpoint::Endpoint;
use crate::resilience_settings::TableResilience;
use crate::routing_table::{Placement, PlacementKind, RoutingTable};

/// `cells` moves placements elsewhere.
pub fn static_routing_table(cells: &HashMap<String, Endpoint>) -> RoutingTable {
    let ports = [("visa", 9004), ("tier1", 9001), ("tier2", 9002), ("tier3", 9003)];
    let placements: IndexMap<String, Arc<Placement>> = ports
        .into_iter()
        .map(|(name, port)| {
            let kind = if name == "visa" { PlacementKind::Dedicated } else { PlacementKind::Tier };
            let default = || Endpoint::parse(&format!("http://127.0.0.1:{port}"));
            let endpoint = cells.get(name).cloned().or_else(default).expect("the built-in endpoints are origins");
            let placement = Placement { name: name.to_owned(), kind, endpoint, resilience: Default::default() };
            (name.to_owned(), Arc::new(placement))
        })
        .collect();
    let keys = [("visa", "visa"), ("acme", "tier1"), ("globex", "tier2"), ("initech", "tier3")];
    RoutingTable {
        version: "1.0.0".into(),
        default_placement: placements["tier3"].clone(),
        placement_by_key: keys.map(|(key, name)| (key.to_owned(), placements[name].clone())).into(),
        placements,
        resilience: TableResilience::default(),
    }
}
