//! Decides which placement serves a routing key. Pure: a table and a key in, a decision out.
//! It reads no header, no clock and no network.

use std::sync::Arc;

use crate::routing_table::{Placement, PlacementKind, RoutingTable};

/// Why a placement was chosen; sent to the client as `X-Route-Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteReason {
    Dedicated,
    Tier,
    Default,
}

impl RouteReason {
    pub fn as_str(self) -> &'static str {
        match self {
            RouteReason::Dedicated => "dedicated",
            RouteReason::Tier => "tier",
            RouteReason::Default => "default",
        }
    }
}

#[derive(Debug, Clone)]
pub struct RouteDecision {
    pub placement: Arc<Placement>,
    pub reason: RouteReason,
}

// #region route
/// Looks the routing key up in one table.
///
/// A listed key goes to its placement, with that placement's kind as the reason; every other key goes to the default
/// placement. The look-up is by exact value, and a `HashMap` holds nothing but what the table put into it.
pub fn route(table: &RoutingTable, routing_key: &str) -> RouteDecision {
    match table.placement_by_key.get(routing_key) {
        Some(placement) => RouteDecision {
            placement: placement.clone(),
            reason: match placement.kind {
                PlacementKind::Dedicated => RouteReason::Dedicated,
                PlacementKind::Tier => RouteReason::Tier,
            },
        },
        None => RouteDecision { placement: table.default_placement.clone(), reason: RouteReason::Default },
    }
}
// #endregion route

#[cfg(test)]
mod tests {
    use super::*;
    use crate::static_table::static_routing_table;

    #[test]
    fn sends_listed_keys_to_their_placement_and_the_rest_to_the_default() {
        let table = static_routing_table(&Default::default());
        let cases = [
            ("visa", "visa", "dedicated"),
            ("acme", "tier1", "tier"),
            ("globex", "tier2", "tier"),
            ("initech", "tier3", "tier"),
            ("hooli", "tier3", "default"),
            ("", "tier3", "default"),
            ("VISA", "tier3", "default"),
            ("visa ", "tier3", "default"),
            ("__proto__", "tier3", "default"),
            ("constructor", "tier3", "default"),
            ("ключ", "tier3", "default"),
        ];
        for (key, placement, reason) in cases {
            let decision = route(&table, key);
            assert_eq!((decision.placement.name.as_str(), decision.reason.as_str()), (placement, reason), "{key:?}");
        }
    }
}
