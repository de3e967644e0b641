// The two tables of a gameday, and what a request may see of each. They differ in everything that a request sees of its
// key: the placement's name and the cell behind it. A response that has one from each has seen two tables.

import type { CellName, Placement, Table } from "../load/tables.ts";

/** A key that moves from one table to the other; the rest stay. */
export const movingKey = "mover";
export const keys = ["visa", "acme", "globex", "initech", movingKey, "someone-new"] as const;

const protection = {
  concurrencyLimit: 200,
  health: { intervalMs: 250, timeoutMs: 2000, rise: 2, fall: 3 },
  circuitBreaker: { consecutiveFailures: 5, waitMs: 500, maxWaitMs: 1000, halfOpenProbes: 2 },
  retries: {},
};

/** Table `n`: the even ones and the odd ones differ as told above. */
export function tableNumber(n: number, urls: Readonly<Record<CellName, string>>): Table {
  const isOdd = n % 2 === 1;
  const moved = isOdd ? "tier1-b" : "tier1";
  const first = {
    kind: "tier",
    url: isOdd ? urls.tier2 : urls.tier1,
    fallback: isOdd ? ["tier3"] : ["tier2"],
  };
  const second = isOdd
    ? { tier1: { kind: "tier", url: urls.tier1, fallback: ["tier2"], ...protection } }
    : {};
  const version = `gameday-${n}`;
  const routingTable = { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3", [movingKey]: moved };
  const chains: Record<string, Placement> = {
    visa: { cell: "visa", chain: [] },
    tier1: { cell: "tier1", chain: ["tier2", "tier3"] },
    tier2: { cell: "tier2", chain: ["tier3"] },
    tier3: { cell: "tier3", chain: [] },
    ...(isOdd ? { "tier1-b": { cell: "tier2", chain: ["tier3"] } } : {}),
  };
  const document = {
    version,
    defaultPlacement: "tier3",
    routingTable,
    placements: {
      visa: { kind: "dedicated", url: urls.visa, ...protection },
      [moved]: { ...first, ...protection },
      ...second,
      tier2: { kind: "tier", url: urls.tier2, fallback: ["tier3"], ...protection },
      tier3: { kind: "tier", url: urls.tier3, ...protection },
    },
    retryBudget: { ratio: 0.2, minPerSecond: 5 },
  };
  const placements = new Map(Object.entries(chains));
  return { version, document, placements, placementByKey: new Map(Object.entries(routingTable)) };
}
