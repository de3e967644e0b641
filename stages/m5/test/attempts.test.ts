// The loop around attempts, with cells that are told what to do and a clock that moves when it is told to.

import { describe, expect, test } from "vitest";
import type { AttemptResult } from "../src/attempt.ts";
import { Bench, broken, complete, placementOf, unreachable } from "./protected-table.ts";

const retries = { maxRetries: 2, baseMs: 10, capMs: 10 };
const opensAtOnce = { consecutiveFailures: 1, minimumRequests: 1000, waitMs: 60_000, maxWaitMs: 60_000 };
const plenty = { retryBudget: { ratio: 1, minPerSecond: 100, maxBalance: 100 } };

describe("an attempt", () => {
  test("that ends well is the result, and nobody else is asked", async () => {
    const bench = new Bench({ one: { fallback: ["two"], circuitBreaker: opensAtOnce, retries }, two: {} });
    const ended = await bench.run("one", { one: [200] });
    expect(ended).toMatchObject({ kind: "attempted", result: complete() });
    expect(ended.request).toMatchObject({
      target: placementOf(bench.table, "one"),
      failover: undefined,
      retries: 0,
    });
    expect([bench.sent, bench.breakerEvents]).toEqual([["one"], []]);
  });

  test.each<[string, AttemptResult]>([
    ["the client left", { kind: "client-aborted" }],
    ["the client broke its body", broken({ code: "malformed-request" })],
    ["the client was too slow", broken({ code: "request-timeout" })],
    ["this router had no free socket", broken({ code: "router-exhausted", cause: "EMFILE", sent: false })],
  ])("says nothing about the cell when %s, and gives its probe's slot back", async (_, result) => {
    const breaker = { ...opensAtOnce, waitMs: 100, halfOpenProbes: 1 };
    const bench = new Bench({ one: { circuitBreaker: breaker, retries } }, plenty);
    expect(await bench.run("one", { one: [result] })).toMatchObject({ kind: "attempted", result });
    expect(bench.breaker("one")?.kind).toBe("closed");
    await bench.run("one", { one: [broken()] }, bench.request({ method: "POST" }));
    expect(bench.breaker("one")?.kind).toBe("half-open");
    await bench.run("one", { one: [result] });
    expect(bench.breaker("one")).toMatchObject({ kind: "half-open", probesInFlight: 0, successes: 0 });
    expect(bench.sent).toHaveLength(3);
  });

  test("for which this router has no free socket is not made elsewhere, where it has none either", async () => {
    const bench = new Bench({ one: { fallback: ["two"], retries }, two: {} }, plenty);
    const exhausted = broken({ code: "router-exhausted", cause: "EMFILE", sent: false });
    expect(await bench.run("one", { one: [exhausted] })).toMatchObject({
      kind: "attempted",
      result: exhausted,
      request: { failover: undefined, retries: 0 },
    });
    expect(bench.sent).toEqual(["one"]);
    expect(await bench.metrics.text()).toContain('attempts_total{placement="one",result="abandoned"} 1');
  });

  test.each(["is sent", "is paid for"])("that throws when it %s gives everything back", async (when) => {
    const bench = new Bench({
      one: { fallback: ["two"] },
      two: { concurrencyLimit: 1, circuitBreaker: { ...opensAtOnce, halfOpenProbes: 1 } },
    });
    bench.unhealthy.add("one");
    const fault = () => {
      throw new Error("fault");
    };
    if (when === "is paid for") bench.guard("two").budget.deposit = fault;
    const one = placementOf(bench.table, "one");
    const failing = bench.attempts.run(bench.request(), bench.table, one, async () => fault());
    await expect(failing).rejects.toThrow("fault");
    expect([bench.inFlight("two"), bench.breaker("two")?.kind]).toEqual([0, "closed"]);
  });

  test("is recorded with the head of its response, before the body has ended", async () => {
    const bench = new Bench({ one: { circuitBreaker: { ...opensAtOnce, waitMs: 100, halfOpenProbes: 1 } } });
    await bench.run("one", { one: [broken()] });
    const ended = Promise.withResolvers<AttemptResult>();
    const one = placementOf(bench.table, "one");
    const running = bench.attempts.run(bench.request(), bench.table, one, (_, shouldForward) => {
      expect(shouldForward(200)).toBe(true);
      return ended.promise;
    });
    expect(bench.breakerEvents).toEqual([
      "one: closed → open",
      "one: open → half-open",
      "one: half-open → closed",
    ]);
    ended.resolve(broken({ headSent: true }));
    await running;
    expect(bench.breaker("one")?.kind, "what breaks after the head is not counted again").toBe("closed");
  });
});

describe("a retry", () => {
  test("waits, counts itself, and is the result", async () => {
    const bench = new Bench({ one: { retries } }, plenty);
    const running = bench.run("one", { one: [503, 200] });
    const ended = await running;
    expect(ended).toMatchObject({ kind: "attempted", result: complete(200), request: { retries: 1 } });
    expect(bench.sent).toEqual(["one", "one"]);
  });

  test("starts when its delay is over, and not before", async () => {
    const bench = new Bench({ one: { retries: { ...retries, baseMs: 100, capMs: 100 } } }, plenty);
    const one = placementOf(bench.table, "one");
    const at: number[] = [];
    const running = bench.attempts.run(bench.request(), bench.table, one, async (_, shouldForward) => {
      at.push(bench.clock.now());
      return shouldForward(503) ? complete(503) : { kind: "discarded", status: 503 };
    });
    await bench.clock.advance(1000);
    expect(await running).toMatchObject({ kind: "attempted", result: complete(503) });
    expect(at).toEqual([1000, 1050, 1100]);
  });

  test("ends with the client: the wait is cut short, nothing is sent and nothing counted", async () => {
    const bench = new Bench({ one: { retries } }, plenty);
    const left = new AbortController();
    const request = bench.request({ clientLeft: () => left.signal });
    const one = placementOf(bench.table, "one");
    const running = bench.attempts.run(request, bench.table, one, async (target, shouldForward) => {
      bench.sent.push(target.name);
      return shouldForward(503) ? complete(503) : { kind: "discarded", status: 503 };
    });
    await bench.clock.advance(1);
    left.abort();
    expect(await running).toEqual({ kind: "attempted", result: { kind: "client-aborted" } });
    expect([bench.sent, request.retries, bench.clock.sleeping]).toEqual([["one"], 0, 0]);
    expect(await bench.metrics.text()).not.toMatch(/retries_total\{/);
  });

  test("is not made once a response has begun", async () => {
    const bench = new Bench({ one: { retries } }, plenty);
    await bench.run("one", { one: [broken({ headSent: true })] });
    await bench.run("one", { one: [503] }, bench.request({ isAnswered: () => true }));
    expect(bench.sent).toEqual(["one", "one"]);
  });

  test("goes where a request would go by then", async () => {
    const bench = new Bench(
      { one: { retries, circuitBreaker: opensAtOnce, fallback: ["two"] }, two: {} },
      plenty,
    );
    const { request } = await bench.run("one", { one: [503], two: [200] });
    expect(request).toMatchObject({ retries: 1, failover: { from: "one", reason: "circuit-open" } });
    expect(bench.sent).toEqual(["one", "two"]);
    expect(await bench.metrics.text()).toContain('cell_router_retries_total{placement="two"} 1');
  });

  test("that nobody takes is none: the response is the router's own", async () => {
    const bench = new Bench({ one: { retries, circuitBreaker: opensAtOnce } }, plenty);
    const ended = await bench.run("one", { one: [503] });
    expect(ended).toMatchObject({ kind: "refused", code: "circuit-open", request: { retries: 0 } });
  });

  test("is paid once, whoever made it necessary: requests pay in, retries do not", async () => {
    const bench = new Bench(
      { one: { retries } },
      { retryBudget: { ratio: 0.25, minPerSecond: 0, maxBalance: 10 } },
    );
    for (let n = 0; n < 4; n++) await bench.run("one", { one: [200] });
    expect(bench.balance("one")).toBe(1);
    await bench.run("one", { one: [503] });
    expect(bench.sent).toHaveLength(4 + 2);
    expect(bench.balance("one")).toBe(0.25);
  });
});

describe("failover", () => {
  const chain = { one: { fallback: ["two"], retries }, two: { fallback: ["three"] }, three: {} };

  test.each(["GET", "POST"])("%s: a cell without a connection leads to the next at once", async (method) => {
    const bench = new Bench(chain, plenty);
    const { request } = await bench.run(
      "one",
      { one: [unreachable], two: [unreachable], three: [200] },
      bench.request({ method, hasBody: method === "POST" }),
    );
    expect(bench.sent).toEqual(["one", "two", "three"]);
    expect(request).toMatchObject({ retries: 0, failover: { from: "one", reason: "connect-failed" } });
  });

  test("a request that may have been read goes nowhere else", async () => {
    const bench = new Bench({ one: { fallback: ["two"] }, two: {} }, plenty);
    const ended = await bench.run("one", { one: [broken()] });
    expect(ended).toMatchObject({ kind: "attempted", result: broken() });
    expect(bench.sent).toEqual(["one"]);
  });

  test("a chain without any connection is tried again as a whole, within the retries", async () => {
    const bench = new Bench(chain, plenty);
    const gone = { one: [unreachable], two: [unreachable], three: [unreachable] };
    const ended = await bench.run("one", gone);
    expect(ended).toMatchObject({ kind: "attempted", result: unreachable, request: { retries: 2 } });
    expect(bench.sent).toEqual(["one", "two", "three", "one", "two", "three", "one", "two", "three"]);
  });

  test("without retries the chain is tried once", async () => {
    const bench = new Bench({ ...chain, one: { fallback: ["two"] } }, plenty);
    await bench.run("one", { one: [unreachable], two: [unreachable], three: [unreachable] });
    expect(bench.sent).toEqual(["one", "two", "three"]);
  });

  test("when the circuits have opened by the time of the retry, the failure is the response, and the budget keeps the rest", async () => {
    const bench = new Bench(
      { one: { retries, circuitBreaker: opensAtOnce } },
      { retryBudget: { ratio: 0, minPerSecond: 5, maxBalance: 5 } },
    );
    const ended = await bench.run("one", { one: [unreachable] });
    expect(ended).toMatchObject({ kind: "attempted", result: unreachable, request: { retries: 0 } });
    expect([bench.sent, bench.balance("one")]).toEqual([["one"], 4]);
  });

  test("each placement that a request comes to is paid for once", async () => {
    const bench = new Bench(chain, { retryBudget: { ratio: 0.5, minPerSecond: 0, maxBalance: 10 } });
    await bench.run("one", { one: [unreachable], two: [200] });
    expect(["one", "two", "three"].map((name) => bench.balance(name))).toEqual([0.5, 0.5, 0]);
  });

  test("nobody takes the request: a refusal about the placement that was routed to", async () => {
    const bench = new Bench({ one: { fallback: ["two"] }, two: {} });
    for (const name of ["one", "two"]) bench.unhealthy.add(name);
    const ended = await bench.run("one", {});
    expect(ended).toMatchObject({ kind: "refused", code: "unhealthy", request: { failover: undefined } });
    expect(ended.request.target?.name).toBe("one");
    expect(bench.sent).toEqual([]);
  });

  test("a fallback that fails, and fails to be asked again, leaves the response to the router", async () => {
    const bench = new Bench(
      { one: { fallback: ["two"] }, two: { retries, circuitBreaker: opensAtOnce } },
      plenty,
    );
    const ended = await bench.run("one", { one: [unreachable], two: [503] });
    expect(ended).toMatchObject({
      kind: "refused",
      code: "upstream-unreachable",
      request: { failover: undefined, retries: 0 },
    });
    expect(bench.sent).toEqual(["one", "two"]);
  });
});
