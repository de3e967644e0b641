// Token buckets: one for each routing key that has a limit, one for each placement that has one, and one for all the
// keys that nobody knows.

import { beforeEach, describe, expect, test } from "vitest";
import { expectRefused, path, plainly, type ResilienceContract } from "./contract.ts";

/** Slow enough that no token comes in while a case runs. */
const slow = (burst: number) => ({ ratePerSecond: 0.01, burst });

export function describeRateLimits(contract: ResilienceContract): void {
  /** How many of `count` requests are served; the others must be refused for their rate. */
  const served = async (key: string, count: number): Promise<number> => {
    let good = 0;
    for (let n = 0; n < count; n++) {
      const response = await contract.ask(key);
      if (response.status === 200) good += 1;
      else expectRefused(response, 429, "rate-limited");
    }
    return good;
  };

  describe("rate limits", () => {
    // A bucket that the next table has too keeps its level.
    beforeEach(() => contract.apply({}));

    test("a key gets its burst, then 429 and the time until the next token; no cell sees what is refused", async () => {
      await using one = await contract.cell("one");
      const keyLimits = { noisy: { ratePerSecond: 0.1, burst: 3 } };
      await contract.apply(
        { one: { cell: one } },
        { keyLimits, routingTable: { noisy: "one", quiet: "one" } },
      );
      expect(await served("noisy", 5)).toBe(3);
      const refused = await contract.ask("noisy", { method: "POST", body: "pay" });
      const retryAfter = expectRefused(refused, 429, "rate-limited");
      expect(retryAfter).toBeGreaterThan(5);
      expect(retryAfter).toBeLessThanOrEqual(10);
      expect(one.requests).toHaveLength(3);
      expect(await served("quiet", 5), "another key of the same placement").toBe(5);
    });

    test("a placement's bucket counts every key that leads there, and no other placement's", async () => {
      await using one = await contract.cell("one");
      await using two = await contract.cell("two");
      const placements = { one: { cell: one, rateLimit: slow(4) }, two: { cell: two } };
      await contract.apply(placements, { routingTable: { acme: "one", globex: "one" } });
      expect([await served("acme", 2), await served("globex", 2), await served("one", 2)]).toEqual([2, 2, 0]);
      expect(await served("two", 3)).toBe(3);
    });

    test("a key over its own limit takes nothing from its placement's bucket", async () => {
      await using one = await contract.cell("one");
      const top = { keyLimits: { noisy: slow(1) }, routingTable: { noisy: "one", quiet: "one" } };
      await contract.apply({ one: { cell: one, rateLimit: slow(4) } }, top);
      expect([await served("noisy", 20), await served("quiet", 5)]).toEqual([1, 3]);
    });

    test("keys that the table does not name share one bucket, and take nothing from those that it names", async () => {
      await using one = await contract.cell("one");
      const top = { unlistedKeysLimit: slow(5), keyLimits: { limited: slow(2) } };
      await contract.apply({ one: { cell: one } }, top);
      const invented = await Promise.all(Array.from({ length: 20 }, (_, n) => contract.ask(`invented-${n}`)));
      expect(invented.filter(({ status }) => status === 200)).toHaveLength(5);
      for (const response of invented)
        if (response.status !== 200) expectRefused(response, 429, "rate-limited");
      expect(await served("one", 10), "a routed key").toBe(10);
      expect(await served("limited", 3), "a key that only has a limit").toBe(2);
    });

    test.each(["__proto__", "constructor", "toString"])("%s is a key like any other", async (key) => {
      const keyLimits = JSON.parse(`{ "${key}": { "ratePerSecond": 0.01, "burst": 2 } }`) as object;
      await contract.apply({}, { keyLimits, unlistedKeysLimit: slow(3) });
      expect([await served(key, 4), await served("hasOwnProperty", 5)]).toEqual([2, 3]);
    });

    test("a push neither refills a bucket nor drains it, and a new limit holds at once", async () => {
      await using one = await contract.cell("one");
      const withLimit = (limit: object | undefined) =>
        contract.apply({ one: { cell: one } }, limit === undefined ? {} : { keyLimits: { one: limit } });
      await withLimit(slow(10));
      expect(await served("one", 5)).toBe(5);
      await withLimit(slow(10));
      expect(await served("one", 3), "the same limit again").toBe(3);
      await withLimit(slow(100));
      expect(await served("one", 30), "a fifth full stays a fifth full").toBe(20);
      await withLimit(undefined);
      expect(await served("one", 30), "no limit").toBe(30);
    });

    test("a fallback's bucket is for those who are routed to it", async () => {
      await using one = await contract.cell("one");
      await using two = await contract.cell("two");
      await contract.apply({ one: { cell: one, fallback: ["two"] }, two: { cell: two, rateLimit: slow(1) } });
      await one.down();
      const fallback = { status: 200, to: "two", cell: "two", from: "one", reason: "connect-failed" };
      for (let n = 0; n < 3; n++) expect(path(await contract.ask("one"))).toMatchObject(fallback);
      expect(path(await contract.ask("two"))).toEqual(plainly("two"));
    });

    test("a client that waits for 100 Continue is refused without it", async () => {
      await using one = await contract.cell("one");
      await contract.apply({ one: { cell: one } }, { keyLimits: { one: slow(1) } });
      const upload = { method: "POST", fields: ["Expect: 100-continue", "Content-Length: 4"] };
      expect(await served("one", 1)).toBe(1);
      const response = await contract.ask("one", upload);
      expectRefused(response, 429, "rate-limited");
      expect(response.interim).toEqual([]);
    });
  });
}
