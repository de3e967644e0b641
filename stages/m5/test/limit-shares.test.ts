// Several workers let through what one router may: whatever the table says, the shares add up to it.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRoutingTable, type RoutingTable } from "../src/routing-table.ts";
import { shareOf } from "../src/workers/limit-shares.ts";

interface Limits {
  readonly rate?: number;
  readonly burst?: number;
  readonly places?: number;
}

function tableWith({ rate, burst = 1, places }: Limits): RoutingTable {
  const rateLimit = rate === undefined ? undefined : { ratePerSecond: rate, burst };
  const limits = JSON.parse(JSON.stringify({ rateLimit, concurrencyLimit: places }));
  const result = parseRoutingTable({
    version: "1",
    defaultPlacement: "tier3",
    routingTable: { acme: "tier1", ["__proto__"]: "tier1" },
    placements: {
      tier1: { kind: "tier", url: "http://127.0.0.1:9001", fallback: ["tier3"], ...limits },
      tier3: { kind: "tier", url: "http://127.0.0.1:9003" },
    },
    ...(rateLimit && { keyLimits: { acme: rateLimit }, unlistedKeysLimit: rateLimit }),
  });
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

const sharesOf = (table: RoutingTable, of: number): RoutingTable[] =>
  Array.from({ length: of }, (_, index) => shareOf(table, { index, of }));
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const tier1 = (table: RoutingTable) => table.placements.get("tier1");

describe("a concurrency limit is divided into whole places", () => {
  test.each([
    { places: 10, workers: 1, shares: [10] },
    { places: 10, workers: 2, shares: [5, 5] },
    { places: 10, workers: 3, shares: [4, 3, 3] },
    { places: 3, workers: 3, shares: [1, 1, 1] },
    // Rounded up: a worker without a place would refuse everything.
    { places: 1, workers: 4, shares: [1, 1, 1, 1] },
  ])("$places among $workers", ({ places, workers, shares }) => {
    const each = sharesOf(tableWith({ places }), workers);
    expect(each.map((table) => tier1(table)?.concurrencyLimit)).toEqual(shares);
  });
});

describe("a rate and its burst are divided evenly", () => {
  test.each([
    { rate: 100, burst: 50, workers: 4, share: { ratePerSecond: 25, burst: 12.5 } },
    { rate: 1, burst: 1, workers: 2, share: { ratePerSecond: 0.5, burst: 1 } },
  ])("$rate a second, burst $burst, among $workers", ({ rate, burst, workers, share }) => {
    for (const table of sharesOf(tableWith({ rate, burst }), workers)) {
      expect(tier1(table)?.rateLimit).toEqual(share);
      expect(table.keyLimits?.get("acme")).toEqual(share);
      expect(table.unlistedKeysLimit).toEqual(share);
    }
  });
});

test("the shares add up to the limits, as far as each worker can have a whole one", () => {
  const workers = fc.integer({ min: 1, max: 64 });
  const places = fc.integer({ min: 1, max: 10_000 });
  const rate = fc.integer({ min: 1, max: 100_000 });
  const burst = fc.integer({ min: 1, max: 100_000 });
  fc.assert(
    fc.property(workers, places, rate, burst, (of, places, rate, burst) => {
      const shares = sharesOf(tableWith({ rate, burst, places }), of).map(tier1);
      expect(sum(shares.map((each) => each?.concurrencyLimit ?? 0))).toBe(Math.max(places, of));
      expect(sum(shares.map((each) => each?.rateLimit?.ratePerSecond ?? 0))).toBeCloseTo(rate, 3);
      expect(sum(shares.map((each) => each?.rateLimit?.burst ?? 0))).toBeCloseTo(Math.max(burst, of), 3);
    }),
  );
});

test("nothing but the limits changes, and keys lead to the placements with the shares", () => {
  const table = tableWith({ rate: 10, burst: 4, places: 8 });
  const share = shareOf(table, { index: 1, of: 2 });
  expect(share.placements.get("tier3")).toMatchObject({ ...table.placements.get("tier3") });
  expect(share.placementByKey.get("acme")).toBe(share.placements.get("tier1"));
  expect(share.placementByKey.get("__proto__")).toBe(share.placements.get("tier1"));
  expect(share.defaultPlacement).toBe(share.placements.get("tier3"));
  expect(share.version).toBe(table.version);
  expect(tier1(share)?.fallback).toEqual(["tier3"]);
});

test("limits that nobody set stay unset", () => {
  const share = shareOf(tableWith({}), { index: 0, of: 2 });
  expect([tier1(share)?.rateLimit, tier1(share)?.concurrencyLimit, share.keyLimits]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
