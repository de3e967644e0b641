// Finds what is wrong with the fallback chains of a table before the table is used: names that nobody has, chains that
// lead back to where they came from, and ways into a tenant's own cell. Following the chains is left to `failover.ts`.

import type { ChainedPlacement } from "./failover.ts";

export interface FallbackFault {
  /** Where it stands in the routing table's JSON, such as `["placements", "tier1", "fallback", 0]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Placements = ReadonlyMap<string, ChainedPlacement>;

// #region fallback-faults
/** Every fault of every chain, in the order of the table; an empty list for a sound table. */
export function findFallbackFaults(placements: Placements): FallbackFault[] {
  const faults: FallbackFault[] = [];
  const loopsFound = new Set<string>();
  for (const { name, fallback = [] } of placements.values()) {
    for (const [index, target] of fallback.entries()) {
      const message =
        entryFault(placements, name, target, fallback.indexOf(target) < index) ??
        loopFault(placements, name, target, loopsFound);
      if (message !== undefined) faults.push({ path: ["placements", name, "fallback", index], message });
    }
  }
  return faults;
}

function entryFault(
  placements: Placements,
  name: string,
  target: string,
  isRepeated: boolean,
): string | undefined {
  const remove = `Remove "${target}" from the fallbacks of "${name}"`;
  if (target === name) return `${remove}: a placement cannot stand in for itself`;
  if (isRepeated) return `${remove}: it is there twice`;
  const placement = placements.get(target);
  if (placement === undefined) return `${remove}: no placement has this name`;
  // Tenants of a tier in somebody's own cell would break invariant 5. The other way, from a dedicated cell to a
  // tier, is that tenant's own choice.
  if (placement.kind === "dedicated") return `${remove}: it is another tenant's dedicated cell`;
  return undefined;
}
// #endregion fallback-faults

/** The shortest loop through this entry, unless it was named at one of its other entries. */
function loopFault(
  placements: Placements,
  name: string,
  target: string,
  loopsFound: Set<string>,
): string | undefined {
  const wayBack = shortestWay(placements, target, name);
  if (wayBack === undefined) return undefined;
  // Two shortest loops over the same placements are one loop that was entered at two places.
  const id = JSON.stringify([...wayBack].sort());
  if (loopsFound.has(id)) return undefined;
  loopsFound.add(id);
  const loop = [name, ...wayBack].map((each) => `"${each}"`).join(" → ");
  return `Break the loop of fallbacks ${loop}: a failure would run in a circle`;
}

/** Names from `from` to `to` along fallbacks, both included; undefined when no way leads there. */
function shortestWay(placements: Placements, from: string, to: string): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
  // A Map hands out what is added while it is read: this is a breadth-first search.
  for (const [name] of cameFrom) {
    if (name === to) return wayTo(cameFrom, to);
    for (const next of placements.get(name)?.fallback ?? []) {
      if (!cameFrom.has(next)) cameFrom.set(next, name);
    }
  }
  return undefined;
}

function wayTo(cameFrom: ReadonlyMap<string, string | undefined>, to: string): string[] {
  const way: string[] = [];
  for (let each: string | undefined = to; each !== undefined; each = cameFrom.get(each)) way.unshift(each);
  return way;
}
