import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type MapFile, mapEntries, mapFiles } from "../maps.ts";
import { planChange } from "../plan-change.ts";
import { fourKeys, fourPlacements, tableOf, tables } from "./tables.ts";

const before = tableOf(fourPlacements, fourKeys);

/** The same table with other settings of one placement. */
function withSettings(name: keyof typeof fourPlacements, settings: object) {
  const placements = { ...fourPlacements, [name]: { ...fourPlacements[name], ...settings } };
  return tableOf(placements, fourKeys);
}

const runtime = (after: ReturnType<typeof tableOf>, from = before) => {
  const plan = planChange(from, after);
  expect(plan).toMatchObject({ reload: false });
  return plan.reload ? [] : plan.runtime;
};

const why = (after: ReturnType<typeof tableOf>, from = before) => {
  const plan = planChange(from, after);
  return plan.reload ? plan.why : [];
};

describe("changes that a running HAProxy takes", () => {
  test("nothing, for the same table and for another version of it", () => {
    expect(runtime(before)).toEqual([]);
    expect(runtime(tableOf(fourPlacements, { ...fourKeys, version: "2" }))).toEqual([]);
  });

  test("a key that moves, comes or goes", () => {
    const moved = tableOf(fourPlacements, {
      routingTable: { visa: "visa", acme: "tier2", "new key": "tier1", initech: "tier3" },
    });
    expect(runtime(moved)).toEqual([
      { kind: "map-set", file: "keys.map", key: "61636D65", value: "tier2" },
      { kind: "map-set", file: "keys.map", key: "6E6577206B6579", value: "tier1" },
      { kind: "map-delete", file: "keys.map", key: "676C6F626578" },
    ]);
  });

  test("another default placement", () => {
    expect(runtime(tableOf(fourPlacements, { ...fourKeys, defaultPlacement: "tier2" }))).toEqual([
      { kind: "map-set", file: "default.map", key: "default", value: "tier2" },
    ]);
  });

  test("a concurrency limit, for the cell's own requests and for those that stand-ins bring", () => {
    expect(runtime(withSettings("tier2", { concurrencyLimit: 5 }))).toEqual([
      { kind: "server-maxconn", backend: "p_tier1", server: "f1_tier2", maxconn: 5 },
      { kind: "map-set", file: "places.map", key: "tier2", value: "5" },
    ]);
    expect(runtime(before, withSettings("visa", { concurrencyLimit: 5 }))).toEqual([
      { kind: "map-delete", file: "places.map", key: "visa" },
    ]);
  });

  test("a rate whose window is as long as one that is counted already", () => {
    const from = withSettings("visa", { rateLimit: { ratePerSecond: 10, burst: 20 } });
    const after = withSettings("visa", { rateLimit: { ratePerSecond: 50, burst: 100 } });
    expect(runtime(after, from)).toEqual([
      { kind: "map-set", file: "rates.map", key: "p:visa", value: "100:2000:1" },
    ]);
  });

  test("lead to the maps of the new table, whatever the tables", () => {
    const property = fc.property(tables, fc.array(fc.tuple(fc.string(), fc.nat())), (one, picks) => {
      const placements = [...one.placements.values()];
      const placementByKey = new Map([...one.placementByKey].slice(1));
      for (const [key, pick] of picks) {
        const placement = placements[pick % placements.length];
        if (placement !== undefined) placementByKey.set(key, placement);
      }
      const two = { ...one, placementByKey };
      const plan = planChange(one, two);
      if (plan.reload) throw new Error(plan.why.join("\n"));
      const maps = mapEntries(one);
      const changed = new Map(
        mapFiles.map((file): [MapFile, Map<string, string>] => [file, new Map(maps[file])]),
      );
      for (const change of plan.runtime) {
        if (change.kind === "map-set") changed.get(change.file)?.set(change.key, change.value);
        if (change.kind === "map-delete") changed.get(change.file)?.delete(change.key);
      }
      for (const file of mapFiles) expect(changed.get(file)).toEqual(mapEntries(two)[file]);
    });
    fc.assert(property, { numRuns: 50, seed: 16 });
  });
});

describe("changes that need a reload", () => {
  const { tier1: _, ...threePlacements } = fourPlacements;
  const threeKeys = { routingTable: { visa: "visa", globex: "tier2", initech: "tier3" } };
  const three = tableOf(
    { ...threePlacements, visa: { ...threePlacements.visa, url: "http://127.0.0.1:9001" } },
    threeKeys,
  );

  test.each<[string, ReturnType<typeof tableOf>, RegExp]>([
    ["a new fallback", withSettings("visa", { fallback: ["tier3"] }), /"fallback" of placement "visa"/],
    ["health checks", withSettings("visa", { health: {} }), /"health" of placement "visa"/],
    ["a breaker", withSettings("visa", { circuitBreaker: {} }), /"circuitBreaker" of placement "visa"/],
    ["retries", withSettings("visa", { retries: {} }), /"retries" of placement "visa"/],
    ["another kind", withSettings("visa", { kind: "tier" }), /"kind" of placement "visa"/],
    ["another address", withSettings("visa", { url: "http://127.0.0.1:9103" }), /"url" of placement "visa"/],
    [
      "a window of a new length",
      withSettings("visa", { rateLimit: { ratePerSecond: 1, burst: 3 } }),
      /3000 ms/,
    ],
    ["a placement that is gone", three, /placement "tier1" is gone/],
  ])("%s", (_title, after, reason) => {
    expect(why(after).join("\n")).toMatch(reason);
  });

  test("a new placement", () => {
    expect(why(before, three).join("\n")).toMatch(/placement "tier1" is new/);
  });

  test("keys and the default placement at once: a key that leaves the list could meet the old default", () => {
    const { acme: _, ...others } = fourKeys.routingTable;
    const after = tableOf(fourPlacements, { routingTable: others, defaultPlacement: "tier2" });
    expect(why(after).join("\n")).toMatch(/keys and the default placement change at once/);
  });
});
