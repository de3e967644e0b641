// Routing tables for the tests: written out, and generated with odd names and keys. All are valid by m4's own validator.

import fc from "fast-check";
import { parseRoutingTable, type RoutingTable } from "../../../stages/m4/src/routing-table.ts";

export interface PlacementDocument {
  readonly kind?: "dedicated" | "tier";
  readonly url?: string;
  readonly [setting: string]: unknown;
}

/** A table of these placements; `url` is made up where a placement has none, and `tier` is the kind unless told. */
export function tableOf(
  placements: Readonly<Record<string, PlacementDocument>>,
  rest: Readonly<Record<string, unknown>> = {},
): RoutingTable {
  const names = Object.keys(placements);
  const written = Object.entries(placements).map(([name, settings], index) => {
    return [name, { kind: "tier", url: `http://127.0.0.1:${9001 + index}`, ...settings }] as const;
  });
  const result = parseRoutingTable({
    version: "1",
    defaultPlacement: names.at(-1),
    routingTable: {},
    placements: Object.fromEntries(written),
    ...rest,
  });
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

/** The contract's four placements: visa's own cell, and three tiers that fall back in their order. */
export const fourPlacements = {
  visa: { kind: "dedicated" },
  tier1: { fallback: ["tier2"] },
  tier2: { fallback: ["tier3"] },
  tier3: {},
} as const satisfies Record<string, PlacementDocument>;

export const fourKeys = {
  routingTable: { visa: "visa", acme: "tier1", globex: "tier2", initech: "tier3" },
} as const;

const key = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((text) => /^(?!\s)[^\p{Cc}\p{Cs}]*(?<!\s)$/u.test(text) && Buffer.byteLength(text) <= 256);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/);
const rateLimit = fc.record({
  ratePerSecond: fc.double({ min: 0.001, max: 100_000, noNaN: true }),
  burst: fc.double({ min: 1, max: 10_000, noNaN: true }),
});
const probePath = fc.stringMatching(/^\/[a-z][!"$-~]{0,20}$/);
const health = fc.record({
  path: probePath,
  intervalMs: fc.double({ min: 1, max: 60_000, noNaN: true }),
  timeoutMs: fc.double({ min: 1, max: 60_000, noNaN: true }),
  rise: fc.integer({ min: 1, max: 10 }),
  fall: fc.integer({ min: 1, max: 10 }),
});
const settings = fc.record(
  {
    rateLimit,
    concurrencyLimit: fc.integer({ min: 1, max: 1_000_000 }),
    health,
    circuitBreaker: fc.record(
      {
        consecutiveFailures: fc.integer({ min: 1, max: 1000 }),
        waitMs: fc.integer({ min: 1, max: 60_000 }),
      },
      { requiredKeys: [] },
    ),
    retries: fc.record({ maxRetries: fc.integer({ min: 0, max: 2 }) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const host = fc.constantFrom("127.0.0.1", "[::1]", "10.1.2.3", "cell.internal");

/** Tables with one to six placements. A fallback leads to a later tier only, so no chain is a circle. */
export const tables: fc.Arbitrary<RoutingTable> = fc
  .record({
    names: fc.uniqueArray(name, { minLength: 1, maxLength: 6 }),
    keys: fc.uniqueArray(key, { maxLength: 8 }),
    settings: fc.array(settings, { minLength: 6, maxLength: 6 }),
    hosts: fc.array(host, { minLength: 6, maxLength: 6 }),
    picks: fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
    keyLimits: fc.uniqueArray(fc.tuple(key, rateLimit), { maxLength: 3, selector: ([text]) => text }),
    unlistedKeysLimit: fc.option(rateLimit, { nil: undefined }),
  })
  .map(({ names, keys, settings: all, hosts, picks, keyLimits, unlistedKeysLimit }) => {
    const at = (index: number) => picks[index % picks.length] ?? 0;
    const isDedicated = (index: number) => index < names.length - 1 && at(index) % 3 === 0;
    const placements = names.map((each, index) => {
      const later = names.slice(index + 1).filter((_, offset) => !isDedicated(index + 1 + offset));
      const fallback = later.filter((_, offset) => at(index + offset) % 2 === 0);
      const url = `http://${hosts[index]}:${20_000 + index}`;
      return [each, { kind: isDedicated(index) ? "dedicated" : "tier", url, ...all[index], fallback }];
    });
    return tableOf(Object.fromEntries(placements), {
      // By name: an object puts keys that look like numbers first.
      defaultPlacement: names.at(-1),
      routingTable: Object.fromEntries(keys.map((text, index) => [text, names[at(index) % names.length]])),
      keyLimits: Object.fromEntries(keyLimits),
      ...(unlistedKeysLimit === undefined ? {} : { unlistedKeysLimit }),
    });
  });
