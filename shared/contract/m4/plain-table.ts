// A table of the earlier milestones protects nothing and still works; and every fault in what protects is named.

import { describe, expect, test } from "vitest";
import { form } from "../grades.ts";
import { type Protections, path, plainly, type ResilienceContract, type TopLevel } from "./contract.ts";

export function describePlainTable(contract: ResilienceContract): void {
  describe("a table of m2", () => {
    test("is served as before: no limit, no retry, no failover, and the cell's own errors", async () => {
      await using one = await contract.cell("one", (request) =>
        request.respond(503, "mine", { "X-Own": "1" }),
      );
      await using two = await contract.cell("two");
      await contract.apply({ one: { cell: one }, two: { cell: two } });
      for (let n = 1; n <= 30; n++) {
        const response = await contract.ask("one");
        expect(path(response)).toEqual(plainly("one", 503));
        expect([response.text(), response.headers.one("x-own")]).toEqual(["mine", "1"]);
        expect(response.headers.has("retry-after")).toBe(false);
        expect(one.requests).toHaveLength(n);
      }
      expect(one.probes).toHaveLength(0);
      const responses = await Promise.all(Array.from({ length: 40 }, () => contract.ask("two")));
      expect(responses.map(path)).toEqual(Array.from({ length: 40 }, () => plainly("two")));
    });
  });
}

export function describeFaultyTables(contract: ResilienceContract): void {
  describe("faults in what protects", () => {
    const cell = { url: "http://127.0.0.1:9" };
    const one = (settings: object): Protections => ({ one: { cell, ...settings } });

    test.each<[string, Protections, TopLevel, RegExp]>([
      [
        "a rate of 0",
        one({ rateLimit: { ratePerSecond: 0, burst: 1 } }),
        {},
        /placements\.one\.rateLimit\.ratePerSecond/,
      ],
      [
        "a burst below 1",
        one({ rateLimit: { ratePerSecond: 1, burst: 0.5 } }),
        {},
        /placements\.one\.rateLimit\.burst/,
      ],
      ["no burst", one({ rateLimit: { ratePerSecond: 1 } }), {}, /placements\.one\.rateLimit\.burst/],
      ["half a place", one({ concurrencyLimit: 1.5 }), {}, /placements\.one\.concurrencyLimit/],
      ["no place at all", one({ concurrencyLimit: 0 }), {}, /placements\.one\.concurrencyLimit/],
      [
        "a probe to a path without a slash",
        one({ health: { path: "health" } }),
        {},
        /placements\.one\.health\.path/,
      ],
      [
        "a probe to another host",
        one({ health: { path: "//elsewhere.test/" } }),
        {},
        /placements\.one\.health\.path/,
      ],
      [
        "a probe to another host, by a backslash",
        one({ health: { path: "/\\elsewhere.test/" } }),
        {},
        /placements\.one\.health\.path/,
      ],
      [
        "an interval in words",
        one({ health: { intervalMs: "2s" } }),
        {},
        /placements\.one\.health\.intervalMs/,
      ],
      ["a rise of 0", one({ health: { rise: 0 } }), {}, /placements\.one\.health\.rise/],
      [
        "a ratio above 1",
        one({ circuitBreaker: { failureRatio: 50 } }),
        {},
        /placements\.one\.circuitBreaker\.failureRatio/,
      ],
      [
        "an unknown property",
        one({ circuitBreaker: { failures: 5 } }),
        {},
        /placements\.one\.circuitBreaker\.failures/,
      ],
      ["three retries", one({ retries: { maxRetries: 3 } }), {}, /placements\.one\.retries\.maxRetries/],
      ["an unknown fallback", one({ fallback: ["nowhere"] }), {}, /placements\.one\.fallback.*nowhere/],
      ["itself as a fallback", one({ fallback: ["one"] }), {}, /placements\.one\.fallback/],
      ["a fallback that is no list", one({ fallback: "shared" }), {}, /placements\.one\.fallback/],
      [
        "another tenant's dedicated cell as a fallback",
        { ...one({ fallback: ["own"] }), own: { url: "http://127.0.0.1:10", kind: "dedicated" } },
        {},
        /placements\.one\.fallback.*dedicated/,
      ],
      [
        "a loop of fallbacks",
        { ...one({ fallback: ["two"] }), two: { url: "http://127.0.0.1:10", fallback: ["one"] } },
        {},
        /fallback.*loop/,
      ],
      [
        "a key's limit without a rate",
        one({}),
        { keyLimits: { acme: { burst: 5 } } },
        /keyLimits\.acme\.ratePerSecond/,
      ],
      ["a budget above 1", one({}), { retryBudget: { ratio: 20 } }, /retryBudget\.ratio/],
      [
        "a limit of no size for unlisted keys",
        one({}),
        { unlistedKeysLimit: {} },
        /unlistedKeysLimit\.burst/,
      ],
    ])("%s is named with its path, and the table in use stays", async (_, placements, top, fault) => {
      await contract.apply({});
      const faults = await contract.faultsOf(contract.table(placements, top));
      expect(faults.join("\n")).toMatch(fault);
      expect((await contract.ask("anyone")).status).toBe(200);
    });

    test("all faults are named at once, and none that is not there", form, async () => {
      await contract.apply({});
      const faulty = {
        one: { cell, concurrencyLimit: 0, health: { rise: 0 }, retries: { maxRetries: 9 } },
        two: { url: "http://127.0.0.1:10", fallback: ["one", "nowhere"] },
      };
      const faults = await contract.faultsOf(contract.table(faulty, { retryBudget: { ratio: 2 } }));
      for (const name of [
        "one.concurrencyLimit",
        "one.health.rise",
        "one.retries.maxRetries",
        "two.fallback",
      ])
        expect(faults.join("\n")).toContain(`placements.${name}`);
      expect(faults.join("\n")).toContain("retryBudget.ratio");
      expect(faults, "a placement with faults is there all the same").toHaveLength(5);
    });

    test("a part without settings is complete: its defaults are filled in", async () => {
      await using cell = await contract.cell("one");
      await contract.apply({ one: { cell, circuitBreaker: {}, retries: {}, health: { path: "/health" } } });
      cell.handler = (request) => request.respond(cell.requests.length === 1 ? 503 : 200);
      expect(path(await contract.ask("one"))).toEqual({ ...plainly("one"), retries: "1" });
      await cell.isProbed(1);
    });
  });
}
