// The routing table of a run. The contract's placements: `visa` and `tier1` stand on clean cells, `tier2` and `tier3` on
// hostile ones. Everything of m4 is in it; earlier stages get what they know.

import type { CellName, Placement, Table } from "../load/tables.ts";
import { isAtLeast, type Milestone } from "../stages.ts";

/** Keys of the clean clients. */
export const cleanKeys = ["visa", "visa", "acme", "acme", "globex", "initech", "someone-new"] as const;

export const hostileCells: ReadonlySet<CellName> = new Set(["tier2", "tier3"]);

const health = { intervalMs: 400, timeoutMs: 3_000, rise: 1, fall: 5 };
const circuitBreaker = { consecutiveFailures: 5, waitMs: 200, maxWaitMs: 400, halfOpenProbes: 3 };

/** @param level The milestone whose table the router reads; m1 reads none. */
export function chaosTable(
  level: Milestone,
  urls: Readonly<Record<CellName, string>>,
  healthPath: string,
): Table {
  const isProtected = isAtLeast(level, "m4");
  const protection = isProtected
    ? { health: { ...health, path: healthPath }, circuitBreaker, retries: {} }
    : {};
  const document = {
    version: "chaos",
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
    placements: {
      visa: { kind: "dedicated", url: urls.visa, ...protection },
      tier1: { kind: "tier", url: urls.tier1, ...protection },
      tier2: {
        kind: "tier",
        url: urls.tier2,
        ...protection,
        ...(isProtected ? { concurrencyLimit: 24, fallback: ["tier3"] } : {}),
      },
      // Without a breaker: what is hostile here reaches the router always.
      tier3: { kind: "tier", url: urls.tier3, ...(isProtected ? { retries: {} } : {}) },
    },
  };
  const placement = (cell: CellName, chain: readonly string[] = []): [string, Placement] => [
    cell,
    { cell, chain },
  ];
  return {
    version: "chaos",
    document,
    placements: new Map([
      placement("visa"),
      placement("tier1"),
      placement("tier2", isProtected ? ["tier3"] : []),
      placement("tier3"),
    ]),
    placementByKey: new Map(Object.entries(document.routingTable)),
  };
}
