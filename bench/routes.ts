// The one routing table of the bench: every contender gets these four cells and these keys, so that each does
// the same look-up. Leaves out how a contender is told about them (stages.ts, peers/).

/** The cells' names, which are also the names of the placements. */
export const cellNames = ["visa", "tier1", "tier2", "tier3"] as const;

export type CellName = (typeof cellNames)[number];

/** Where each cell listens, as an origin without a path: `http://127.0.0.1:40123`. */
export type Cells = Readonly<Record<CellName, string>>;

/** Routing key → cell. Any other key goes to {@link defaultCell}. */
export const routingKeys: Readonly<Record<string, CellName>> = {
  visa: "visa",
  acme: "tier1",
  globex: "tier2",
  initech: "tier3",
};

export const defaultCell: CellName = "tier3";

/** Reads the `CELLS` variable, which the Node peers get as m1 does. @throws RangeError when a cell is missing. */
export function parseCells(text: string): Cells {
  const given = new Map(
    text.split(",").map((pair) => [pair.split("=", 1)[0], pair.slice(pair.indexOf("=") + 1)]),
  );
  return Object.fromEntries(
    cellNames.map((name) => {
      const url = given.get(name);
      if (url === undefined) throw new RangeError(`CELLS names no cell "${name}": "${text}"`);
      return [name, url];
    }),
  ) as Cells;
}

/** The same table as the `routing.json` of m2 and later; with `resilience` every protection of m4 is on, and none ever acts. */
export function routingJson(cells: Cells, resilience: boolean): string {
  const placements = Object.fromEntries(
    cellNames.map((name) => {
      const plain = { kind: name === "visa" ? "dedicated" : "tier", url: cells[name] };
      return [name, resilience ? { ...plain, ...protections, ...fallbacks[name] } : plain];
    }),
  );
  const limits = resilience ? { keyLimits: { visa: neverReached }, unlistedKeysLimit: neverReached } : {};
  const table = {
    version: "1.0.0",
    defaultPlacement: defaultCell,
    routingTable: routingKeys,
    ...limits,
    placements,
  };
  return `${JSON.stringify(table, null, 2)}\n`;
}

// Limits far above the load: what is measured is the price of asking, not of refusing.
const neverReached = { ratePerSecond: 1_000_000, burst: 1_000_000 };

const protections = {
  rateLimit: neverReached,
  concurrencyLimit: 100_000,
  health: { path: "/health" },
  circuitBreaker: {},
  retries: {},
};

const fallbacks: Readonly<Partial<Record<CellName, { fallback: readonly CellName[] }>>> = {
  tier1: { fallback: ["tier2"] },
  tier2: { fallback: ["tier3"] },
};
