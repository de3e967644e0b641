import { describe, expect, test, vi } from "vitest";
import type { CircuitBreaker } from "../src/circuit-breaker.ts";
import { Resilience } from "../src/resilience.ts";
import { Bench, placementOf, tableOf } from "./protected-table.ts";

const opensAtOnce = { consecutiveFailures: 1, minimumRequests: 1000, waitMs: 60_000, maxWaitMs: 60_000 };
const none = new Map();

describe("choosing who serves", () => {
  const admit = (bench: Bench, name: string) =>
    bench.resilience.admit(bench.table, placementOf(bench.table, name), none, bench.clock.now());

  test("asks a fallback for its limit and its breaker, and leaves nothing taken where it refuses", () => {
    const bench = new Bench({
      one: { fallback: ["two"] },
      two: { concurrencyLimit: 1, circuitBreaker: opensAtOnce },
    });
    bench.unhealthy.add("one");
    const first = admit(bench, "one");
    expect([first.choice.kind, bench.inFlight("two")]).toEqual(["fallback", 1]);
    expect(admit(bench, "one").choice).toMatchObject({ kind: "none", reason: "unhealthy" });
    first.admission.record("failure", bench.clock.now());
    first.admission.end(bench.clock.now());
    expect([bench.breaker("two")?.kind, bench.inFlight("two")]).toEqual(["open", 0]);
    expect(admit(bench, "one").choice).toMatchObject({ kind: "none", retryAfterMs: 60_000 });
    expect(bench.inFlight("two"), "the place that was taken before the breaker refused").toBe(0);
  });

  test("ending twice gives back once", () => {
    const bench = new Bench({ one: { fallback: ["two"] }, two: { concurrencyLimit: 5 } });
    bench.unhealthy.add("one");
    const [first] = [admit(bench, "one"), admit(bench, "one")];
    first.admission.end(0);
    first.admission.end(0);
    expect(bench.inFlight("two")).toBe(1);
  });

  test("an attempt that ends without an outcome counts for nothing", () => {
    const bench = new Bench({ one: { circuitBreaker: opensAtOnce } });
    admit(bench, "one").admission.end(bench.clock.now());
    expect(bench.breaker("one")).toEqual({ kind: "closed", consecutiveFailures: 0 });
  });
});

describe("what throws", () => {
  const breakable = { one: { circuitBreaker: opensAtOnce, fallback: ["two"] }, two: { concurrencyLimit: 1 } };

  test("a listener of breakers does not hurt the request that moved one", () => {
    const faults: unknown[] = [];
    const resilience = new Resilience({
      isHealthy: () => true,
      onBreaker: (name, to) => {
        throw new Error(`${name} ${to.kind}`);
      },
      onFault: (error) => faults.push(String(error)),
    });
    const table = tableOf(breakable);
    resilience.update(table, 1000);
    const { admission } = resilience.admit(table, placementOf(table, "one"), none, 1000);
    admission.record("failure", 1000);
    admission.end(1000);
    expect(resilience.admit(table, placementOf(table, "one"), none, 1000).choice.kind).toBe("fallback");
    expect(resilience.admit(table, placementOf(table, "one"), none, 61_000).choice.kind).toBe("primary");
    expect(faults).toEqual(["Error: one open", "Error: one half-open"]);
  });

  test("a breaker leaves no place taken", () => {
    const bench = new Bench({
      one: { fallback: ["two"] },
      two: { concurrencyLimit: 1, circuitBreaker: opensAtOnce },
    });
    bench.unhealthy.add("one");
    const { breaker } = bench.resilience.guard(placementOf(bench.table, "two"));
    const allow = vi.spyOn(breaker as CircuitBreaker, "allow").mockImplementationOnce(() => {
      throw new Error("planted");
    });
    const admit = () => bench.resilience.admit(bench.table, placementOf(bench.table, "one"), none, 1000);
    expect(admit).toThrow("planted");
    expect([allow.mock.calls.length, bench.inFlight("two")]).toEqual([1, 0]);
    expect(admit().choice.kind).toBe("fallback");
  });
});

describe("a new table", () => {
  const fail = (bench: Bench, name: string): void => {
    const { admission } = bench.resilience.admit(bench.table, placementOf(bench.table, name), none, 1000);
    admission.record("failure", 1000);
    admission.end(1000);
  };

  test("leaves the state of the same cell alone", () => {
    const bench = new Bench({ one: { circuitBreaker: opensAtOnce, concurrencyLimit: 2 } });
    const one = placementOf(bench.table, "one");
    fail(bench, "one");
    const permit = bench.resilience.guard(one).limit.tryAcquire();
    bench.resilience.update(
      tableOf({ one: { circuitBreaker: { ...opensAtOnce, consecutiveFailures: 9 }, concurrencyLimit: 1 } }),
      2000,
    );
    expect([bench.breaker("one")?.kind, bench.inFlight("one")]).toEqual(["open", 1]);
    permit?.release();
    expect(bench.inFlight("one")).toBe(0);
  });

  test("that gives a name to another cell starts its breaker, limit and budget anew, and keeps the tenants' bucket", () => {
    const before = {
      circuitBreaker: opensAtOnce,
      concurrencyLimit: 1,
      rateLimit: { ratePerSecond: 0.01, burst: 1 },
    };
    const bench = new Bench({ one: before });
    const old = placementOf(bench.table, "one");
    fail(bench, "one");
    const permit = bench.resilience.guard(old).limit.tryAcquire();
    expect(bench.resilience.tryTake("one", old, 1000)).toEqual({ ok: true });
    bench.table = tableOf({ one: { ...before, url: "http://127.0.0.1:9500" } });
    bench.resilience.update(bench.table, 2000);
    const next = placementOf(bench.table, "one");
    expect([bench.breaker("one")?.kind, bench.inFlight("one")]).toEqual(["closed", 0]);
    expect(bench.resilience.tryTake("one", next, 2000)).toMatchObject({ ok: false });
    permit?.release();
    expect(bench.inFlight("one")).toBe(0);
  });

  test("a request of the old table counts for nothing in the new one, nor the other way round", () => {
    const bench = new Bench({ one: { circuitBreaker: opensAtOnce } });
    const [oldTable, old] = [bench.table, placementOf(bench.table, "one")];
    const early = bench.resilience.admit(oldTable, old, none, 1000);
    bench.table = tableOf({
      one: { url: "http://127.0.0.1:9500", circuitBreaker: opensAtOnce, retries: {} },
    });
    bench.resilience.update(bench.table, 2000);
    early.admission.record("failure", 2000);
    early.admission.end(2000);
    expect(bench.breakerEvents, "news of a cell that is gone").toEqual([]);
    bench.unhealthy.add("one");
    const late = bench.resilience.admit(oldTable, old, none, 2000);
    expect(late.choice.kind, "whose health is another cell's").toBe("primary");
    late.admission.record("failure", 2000);
    late.admission.end(2000);
    expect(bench.breaker("one")?.kind).toBe("closed");
    expect(bench.resilience.guard(old).budget.tryWithdraw()).toBe(false);
  });

  test("forgets what it does not name", () => {
    const bench = new Bench({ one: {}, two: {} });
    bench.resilience.update(tableOf({ two: {} }), 2000);
    expect([...bench.resilience.guards()].map(([name]) => name)).toEqual(["spare", "two"]);
  });
});

describe("taking tokens", () => {
  const slow = (burst: number) => ({ ratePerSecond: 0.001, burst });

  test("a key over its limit takes nothing from its placement", () => {
    const bench = new Bench({ one: { rateLimit: slow(3) } }, { keyLimits: { noisy: slow(1) } });
    const take = (key: string) => bench.resilience.tryTake(key, placementOf(bench.table, "one"), 1000).ok;
    expect(["noisy", "noisy", "noisy", "quiet", "quiet", "quiet"].map(take)).toEqual([
      true,
      false,
      false,
      true,
      true,
      false,
    ]);
  });

  test("a million invented keys cost one bucket", () => {
    const bench = new Bench({}, { unlistedKeysLimit: slow(5) });
    const spare = placementOf(bench.table, "spare");
    let taken = 0;
    for (let n = 0; n < 1_000_000; n++)
      if (bench.resilience.tryTake(`invented-${n}`, spare, 1000).ok) taken += 1;
    expect(taken).toBe(5);
  });
});
