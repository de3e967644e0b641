//! Finds what is wrong with the fallback chains of a table before the table is used: names that nobody has, chains that
//! lead back to where they came from, and ways into a tenant's own cell. Following the chains is left to `failover.rs`.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::routing_table::PlacementKind;

/// What the check reads of a placement.
#[derive(Debug, Clone)]
pub struct Chained {
    pub kind: PlacementKind,
    pub fallback: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct FallbackFault {
    pub placement: String,
    /// Which entry of the placement's `fallback`.
    pub index: usize,
    pub message: String,
}

type Placements = IndexMap<String, Chained>;

// #region fallback-faults
/// Every fault of every chain, in the order of the table; an empty list for a sound table.
pub fn find_fallback_faults(placements: &Placements) -> Vec<FallbackFault> {
    let mut faults = Vec::new();
    let mut loops_found = HashSet::new();
    for (name, Chained { fallback, .. }) in placements {
        for (index, target) in fallback.iter().enumerate() {
            let is_repeated = fallback[..index].contains(target);
            let message = entry_fault(placements, name, target, is_repeated)
                .or_else(|| loop_fault(placements, name, target, &mut loops_found));
            faults.extend(message.map(|message| FallbackFault { placement: name.clone(), index, message }));
        }
    }
    faults
}

fn entry_fault(placements: &Placements, name: &str, target: &str, is_repeated: bool) -> Option<String> {
    let remove = format!("Remove \"{target}\" from the fallbacks of \"{name}\"");
    if target == name {
        return Some(format!("{remove}: a placement cannot stand in for itself"));
    }
    if is_repeated {
        return Some(format!("{remove}: it is there twice"));
    }
    match placements.get(target) {
        None => Some(format!("{remove}: no placement has this name")),
        // Tenants of a tier in somebody's own cell would break invariant 5. The other way, from a dedicated cell to a
        // tier, is that tenant's own choice.
        Some(Chained { kind: PlacementKind::Dedicated, .. }) => {
            Some(format!("{remove}: it is another tenant's dedicated cell"))
        }
        Some(_) => None,
    }
}
// #endregion fallback-faults

/// The shortest loop through this entry, unless it was named at one of its other entries.
fn loop_fault(
    placements: &Placements,
    name: &str,
    target: &str,
    loops_found: &mut HashSet<Vec<String>>,
) -> Option<String> {
    let way_back = shortest_way(placements, target, name)?;
    // Two shortest loops over the same placements are one loop that was entered at two places.
    let mut id: Vec<String> = way_back.iter().map(|each| each.to_string()).collect();
    id.sort_unstable();
    if !loops_found.insert(id) {
        return None;
    }
    let names: Vec<String> = [name].iter().chain(&way_back).map(|each| format!("\"{each}\"")).collect();
    Some(format!("Break the loop of fallbacks {}: a failure would run in a circle", names.join(" → ")))
}

/// Names from `from` to `to` along fallbacks, both included: a breadth-first search.
fn shortest_way<'a>(placements: &'a Placements, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut came_from: HashMap<&str, Option<&str>> = HashMap::from([(from, None)]);
    let mut waiting = std::collections::VecDeque::from([from]);
    while let Some(name) = waiting.pop_front() {
        if name == to {
            let mut way: Vec<&str> = std::iter::successors(Some(name), |each| came_from[each]).collect();
            way.reverse();
            return Some(way);
        }
        for next in placements.get(name).into_iter().flat_map(|placement| &placement.fallback) {
            came_from.entry(next).or_insert_with(|| {
                waiting.push_back(next);
                Some(name)
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    type Chains<'a> = &'a [(&'a str, &'a [&'a str])];

    fn faults(chains: Chains<'_>) -> Vec<String> {
        let placements = chains
            .iter()
            .map(|(name, fallback)| {
                let kind = if *name == "own" { PlacementKind::Dedicated } else { PlacementKind::Tier };
                (name.to_string(), Chained { kind, fallback: fallback.iter().map(|f| f.to_string()).collect() })
            })
            .collect();
        let lines = find_fallback_faults(&placements).into_iter();
        lines.map(|fault| format!("{}.{}: {}", fault.placement, fault.index, fault.message)).collect()
    }

    #[test]
    fn finds_nothing_in_a_sound_table() {
        assert_eq!(faults(&[("own", &["a"]), ("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]), [""; 0]);
    }

    #[test]
    fn names_each_fault_where_it_stands() {
        let cases: [(Chains<'_>, &str); 4] = [
            (&[("a", &["a"])], "a.0: Remove \"a\" from the fallbacks of \"a\": a placement cannot stand in for itself"),
            (&[("a", &["b", "b"]), ("b", &[])], "a.1: Remove \"b\" from the fallbacks of \"a\": it is there twice"),
            (&[("a", &["z"])], "a.0: Remove \"z\" from the fallbacks of \"a\": no placement has this name"),
            (
                &[("a", &["own"]), ("own", &[])],
                "a.0: Remove \"own\" from the fallbacks of \"a\": it is another tenant's dedicated cell",
            ),
        ];
        for (chains, fault) in cases {
            assert_eq!(faults(chains), [fault]);
        }
    }

    #[test]
    fn names_a_loop_once() {
        assert_eq!(
            faults(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])]),
            ["a.0: Break the loop of fallbacks \"a\" → \"b\" → \"c\" → \"a\": a failure would run in a circle"]
        );
    }
}
