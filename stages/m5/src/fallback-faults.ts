// Finds what is wrong with the fallback chains of a table before the table is used: names that nobody has, chains that
// lead back to where they came from, and ways into a tenant's own cell. Following the chains is left to `failover.ts`.

import type { ChainedPlacement } from "./failover.ts";

export interface FallbackFault {
  /** Where it stands in the routing table's JSON, such as `["placements", "tier1", "fallback", 0]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Placements = ReadonlyMap<string, ChainedPlacement>;

/** Steps that are spent on naming loops. A real table takes a few hundred; one made to be slow runs out of them. */
const maxSteps = 200_000;

// #region fallback-faults
/** Every fault of every chain, in the order of the table; an empty list for a sound table. */
export function findFallbackFaults(placements: Placements): FallbackFault[] {
  const faults: FallbackFault[] = [];
  const loops = new Loops(placements);
  for (const { name, fallback = [] } of placements.values()) {
    for (const [index, target] of fallback.entries()) {
      const message =
        entryFault(placements, name, target, fallback.indexOf(target) < index) ?? loops.faultAt(name, target);
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

/** Names the loops of fallbacks, in time that grows with the table and not with its square. */
class Loops {
  readonly #placements: Placements;
  /** Two placements that lead to each other have one number. */
  readonly #circles: ReadonlyMap<string, number>;
  readonly #found = new Set<string>();
  readonly #entriesFound = new Set<string>();
  #steps = 0;

  constructor(placements: Placements) {
    this.#placements = placements;
    this.#circles = circlesIn(placements);
  }

  /** The shortest loop through this entry, unless it was named at one of its other entries. */
  faultAt(name: string, target: string): string | undefined {
    if (this.#circles.get(name) !== this.#circles.get(target)) return undefined;
    if (this.#steps > maxSteps) {
      const isNamed = this.#entriesFound.has(JSON.stringify([name, target]));
      return isNamed ? undefined : `Remove "${target}" from the fallbacks of "${name}": it leads back there`;
    }
    const loop = [name, ...this.#wayBack(target, name)];
    // Two shortest loops over the same placements are one loop that was entered at two places.
    const id = JSON.stringify(loop.slice(1).sort());
    if (this.#found.has(id)) return undefined;
    this.#found.add(id);
    for (const [at, each] of loop.slice(1).entries())
      this.#entriesFound.add(JSON.stringify([loop[at], each]));
    const words = loop.map((each) => `"${each}"`).join(" → ");
    return `Break the loop of fallbacks ${words}: a failure would run in a circle`;
  }

  /** Names of the shortest way from `from` to `to` along fallbacks, both included. There is one. */
  #wayBack(from: string, to: string): string[] {
    const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
    // A Map hands out what is added while it is read: this is a breadth-first search.
    for (const [name] of cameFrom) {
      if (name === to) break;
      for (const next of this.#placements.get(name)?.fallback ?? []) {
        this.#steps += 1;
        if (!cameFrom.has(next)) cameFrom.set(next, name);
      }
    }
    const way: string[] = [];
    for (let each: string | undefined = to; each !== undefined; each = cameFrom.get(each)) way.push(each);
    return way.reverse();
  }
}

/** A placement on the way of the search below. */
interface Visit {
  readonly name: string;
  /** Fallbacks that have not been followed yet. */
  readonly ahead: string[];
  /** The earliest placement that is known to be reached from here, by its number. */
  earliest: number;
}

/**
 * Gives placements that lead to each other the same number, and all others numbers of their own. One visit each.
 * @see https://en.wikipedia.org/wiki/Tarjan%27s_strongly_connected_components_algorithm
 */
function circlesIn(placements: Placements): ReadonlyMap<string, number> {
  const circles = new Map<string, number>();
  const numbers = new Map<string, number>();
  /** Visited, and its circle not known yet. */
  const open: string[] = [];
  const visit = (name: string): Visit => {
    const number = numbers.size;
    numbers.set(name, number);
    open.push(name);
    return { name, ahead: [...(placements.get(name)?.fallback ?? [])], earliest: number };
  };
  for (const start of placements.keys()) {
    // A list instead of recursion: a chain may be longer than the stack is deep.
    const way = numbers.has(start) ? [] : [visit(start)];
    for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
      const next = here.ahead.pop();
      if (next === undefined) {
        way.pop();
        const before = way.at(-1);
        if (before !== undefined) before.earliest = Math.min(before.earliest, here.earliest);
        const number = numbers.get(here.name);
        if (number !== here.earliest) continue;
        // Nothing from here on leads to anything before: this circle is complete.
        for (const each of open.splice(open.lastIndexOf(here.name))) circles.set(each, number);
      } else if (!numbers.has(next)) {
        way.push(visit(next));
      } else if (!circles.has(next)) {
        here.earliest = Math.min(here.earliest, numbers.get(next) ?? here.earliest);
      }
    }
  }
  return circles;
}
