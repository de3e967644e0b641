import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { route } from "../src/routing.ts";
import { staticRoutingTable } from "../src/routing-table.ts";

const table = staticRoutingTable();

describe("route", () => {
  test.each([
    ["visa", "visa", "dedicated"],
    ["acme", "tier1", "tier"],
    ["globex", "tier2", "tier"],
    ["initech", "tier3", "tier"],
    ["someone-new", "tier3", "default"],
    ["VISA", "tier3", "default"],
    ["visa ", "tier3", "default"],
    ["münchen", "tier3", "default"],
    ["two words", "tier3", "default"],
  ])("sends %j to %s (%s)", (key, placement, reason) => {
    const decision = route(table, key);
    expect([decision.placement.name, decision.reason]).toEqual([placement, reason]);
  });

  test("treats every name that objects inherit as an ordinary unknown key", () => {
    for (const key of Object.getOwnPropertyNames(Object.prototype)) {
      expect(route(table, key)).toEqual({ placement: table.defaultPlacement, reason: "default" });
    }
  });

  test("sends every key that the table does not list to the default placement, and nowhere else", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (key) => {
        fc.pre(!table.placementByKey.has(key));
        expect(route(table, key)).toEqual({ placement: table.defaultPlacement, reason: "default" });
      }),
    );
  });
});

describe("staticRoutingTable", () => {
  test("takes the endpoints that it is given and keeps the default ports for the others", () => {
    const { placements } = staticRoutingTable(new Map([["tier1", "http://127.0.0.1:41000"]]));
    expect(placements.get("tier1")?.url).toBe("http://127.0.0.1:41000");
    expect(placements.get("visa")?.url).toBe("http://127.0.0.1:9004");
  });
});
