//! Chooses the placement that serves when the one that was routed to cannot: only along the chain that the table names,
//! never into a tenant's own cell. Whether a placement can take a request is asked of the caller.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::routing_table::{Placement, PlacementKind, RoutingTable};

/// Why a placement does not take a request. All but `Overloaded` are reasons to fail over, and then reach the client as
/// `X-Failover-Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    Unhealthy,
    CircuitOpen,
    ConnectFailed,
    Overloaded,
}

impl RefusalReason {
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalReason::Unhealthy => "unhealthy",
            RefusalReason::CircuitOpen => "circuit-open",
            RefusalReason::ConnectFailed => "connect-failed",
            RefusalReason::Overloaded => "overloaded",
        }
    }
}

/// `retry_after_ms`: when the placement may take a request again, where that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refusal {
    pub reason: RefusalReason,
    pub retry_after_ms: Option<f64>,
}

#[derive(Debug)]
pub enum TargetChoice {
    /// The placement that was routed to takes the request.
    Origin,
    /// A placement of the chain takes it. `reason` is the primary's.
    Fallback { target: Arc<Placement>, reason: RefusalReason },
    /// Nobody takes it. `reason` is the primary's, `retry_after_ms` the shortest that any placement named.
    None { reason: RefusalReason, retry_after_ms: Option<f64> },
}

// #region choose-target
/// Asks the primary, then its chain, until one takes the request.
///
/// `admit` is called at most once for each placement, and not again after it has taken the request: it may take permits.
/// Every placement is asked in the same way, so a fallback cannot bypass its own limit or breaker.
///
/// An overloaded primary does not fail over: its flood would go on to its neighbours, which is what the limit prevents.
pub fn choose_target(
    table: &RoutingTable,
    primary: &Arc<Placement>,
    mut admit: impl FnMut(&Arc<Placement>) -> Result<(), Refusal>,
) -> TargetChoice {
    let Err(Refusal { reason, mut retry_after_ms }) = admit(primary) else { return TargetChoice::Origin };
    if reason == RefusalReason::Overloaded {
        return TargetChoice::None { reason, retry_after_ms };
    }
    for target in fallback_chain(table, primary) {
        match admit(&target) {
            Ok(()) => return TargetChoice::Fallback { target, reason },
            Err(refusal) => retry_after_ms = shorter(retry_after_ms, refusal.retry_after_ms),
        }
    }
    TargetChoice::None { reason, retry_after_ms }
}
// #endregion choose-target

// #region fallback-chain
/// The placements that may serve in `primary`'s stead: first all that it names itself, in its order, then all that those
/// name, and so on; each once. It ends in a table with loops, too, and leaves out every dedicated cell: that is some other
/// tenant's (invariant 5), even if a table that nobody validated names it.
pub fn fallback_chain<'a>(
    table: &'a RoutingTable,
    primary: &'a Arc<Placement>,
) -> impl Iterator<Item = Arc<Placement>> + 'a {
    let mut seen = HashSet::from([primary.name.as_str()]);
    let mut waiting: VecDeque<&Arc<Placement>> = VecDeque::from([primary]);
    std::iter::from_fn(move || {
        loop {
            let next = waiting.pop_front()?;
            for name in &next.resilience.fallback {
                let Some(fallback) = table.placements.get(name) else { continue };
                if fallback.kind != PlacementKind::Dedicated && seen.insert(name.as_str()) {
                    waiting.push_back(fallback);
                }
            }
            if next.name != primary.name {
                return Some(next.clone());
            }
        }
    })
}
// #endregion fallback-chain

fn shorter(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        _ => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing_table::tests::table_of;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn chained(chains: &[(&str, &str, &[&str])]) -> RoutingTable {
        let placements: serde_json::Map<String, Value> = chains
            .iter()
            .enumerate()
            .map(|(n, (name, kind, fallback))| {
                let url = format!("http://127.0.0.1:{}", 9001 + n);
                (name.to_string(), json!({ "kind": kind, "url": url, "fallback": fallback }))
            })
            .collect();
        table_of(json!({ "version": "1", "defaultPlacement": "a", "routingTable": {}, "placements": placements }))
    }

    fn chain_of(table: &RoutingTable, primary: &str) -> String {
        let chain = fallback_chain(table, &table.placements[primary]);
        chain.map(|placement| placement.name.clone()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn follows_the_chain_level_by_level_and_names_each_placement_once() {
        let table = chained(&[
            ("a", "tier", &["b", "c"]),
            ("b", "tier", &["d"]),
            ("c", "tier", &["d", "e"]),
            ("d", "tier", &[]),
            ("e", "tier", &[]),
            ("own", "dedicated", &["a"]),
        ]);
        assert_eq!(chain_of(&table, "a"), "b c d e");
        assert_eq!(chain_of(&table, "own"), "a b c d e");
        assert_eq!(chain_of(&table, "e"), "");
    }

    fn choose(refusals: &[(&str, RefusalReason, Option<f64>)]) -> String {
        let table = chained(&[("a", "tier", &["b", "c"]), ("b", "tier", &[]), ("c", "tier", &[])]);
        let mut asked = Vec::new();
        let choice = choose_target(&table, &table.placements["a"], |placement| {
            asked.push(placement.name.clone());
            match refusals.iter().find(|(name, ..)| *name == placement.name) {
                Some((_, reason, retry_after_ms)) => Err(Refusal { reason: *reason, retry_after_ms: *retry_after_ms }),
                None => Ok(()),
            }
        });
        let words = match choice {
            TargetChoice::Origin => "primary".to_owned(),
            TargetChoice::Fallback { target, reason } => format!("{} because {}", target.name, reason.as_str()),
            TargetChoice::None { reason, retry_after_ms } => format!("none, {}, {retry_after_ms:?}", reason.as_str()),
        };
        format!("asked {}: {words}", asked.join(""))
    }

    #[test]
    fn asks_the_origin_then_its_chain_until_one_takes_the_request() {
        use RefusalReason::*;
        assert_eq!(choose(&[]), "asked a: primary");
        assert_eq!(choose(&[("a", Unhealthy, None)]), "asked ab: b because unhealthy");
        assert_eq!(choose(&[("a", CircuitOpen, None), ("b", Overloaded, None)]), "asked abc: c because circuit-open");
        assert_eq!(choose(&[("a", Overloaded, None)]), "asked a: none, overloaded, None");
        assert_eq!(
            choose(&[("a", Unhealthy, Some(900.0)), ("b", CircuitOpen, Some(40.0)), ("c", Overloaded, None)]),
            "asked abc: none, unhealthy, Some(40.0)"
        );
    }

    proptest! {
        /// Any graph, loops and dedicated cells included: built by hand, because no validator would let it pass.
        #[test]
        fn never_leads_into_a_dedicated_cell_and_always_ends(
            kinds in prop::collection::vec(any::<bool>(), 6),
            links in prop::collection::vec((0usize..6, 0usize..6), 0..30),
        ) {
            let table = chained(&[]
                .into_iter()
                .chain(["a", "b", "c", "d", "e", "f"].map(|name| (name, "tier", &[][..])))
                .collect::<Vec<_>>());
            let mut table = table;
            let names = ["a", "b", "c", "d", "e", "f"];
            for (n, name) in names.iter().enumerate() {
                let placement = table.placements.get_mut(*name).map(Arc::make_mut).expect("it is there");
                placement.kind = if kinds[n] { PlacementKind::Dedicated } else { PlacementKind::Tier };
                placement.resilience.fallback =
                    links.iter().filter(|(from, _)| *from == n).map(|(_, to)| names[*to].to_owned()).collect();
            }
            for primary in names {
                let chain: Vec<_> = fallback_chain(&table, &table.placements[primary]).collect();
                let distinct: HashSet<_> = chain.iter().map(|placement| placement.name.as_str()).collect();
                prop_assert_eq!(distinct.len(), chain.len());
                prop_assert!(!distinct.contains(primary));
                prop_assert!(chain.iter().all(|placement| placement.kind == PlacementKind::Tier));
            }
        }
    }
}
