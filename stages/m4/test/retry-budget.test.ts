import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_RETRY_BUDGET } from "../src/resilience-settings.ts";
import { RetryBudget } from "../src/retry-budget.ts";

const strict = { ratio: 0.2, minPerSecond: 0, maxBalance: 10 };

describe("RetryBudget", () => {
  test.each([
    [0.2, 5],
    [0.1, 10],
    [0.5, 2],
    [1, 1],
  ])("with a ratio of %f, %i requests buy one retry", (ratio, requests) => {
    const budget = new RetryBudget({ ...strict, ratio });
    for (let i = 1; i < requests; i++) {
      budget.deposit(i);
      expect(budget.tryWithdraw(), `after ${i} requests`).toBe(false);
    }
    budget.deposit(requests);
    expect(budget.tryWithdraw()).toBe(true);
    expect(budget.tryWithdraw()).toBe(false);
  });

  test("by default the very first request can use both of its retries", () => {
    const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
    budget.deposit(0);
    expect([budget.tryWithdraw(), budget.tryWithdraw(), budget.tryWithdraw()]).toEqual([true, true, false]);
  });

  test("the minimum lets a placement with few requests retry", () => {
    const budget = new RetryBudget({ ...strict, minPerSecond: 1 });
    expect(budget.tryWithdraw()).toBe(true);
    budget.deposit(0);
    expect(budget.tryWithdraw()).toBe(false);
    budget.deposit(1000);
    expect(budget.tryWithdraw()).toBe(true);
  });

  test("an hour without failures saves up no more than the maximum", () => {
    const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
    for (let nowMs = 0; nowMs < 3_600_000; nowMs += 10) budget.deposit(nowMs);
    let retries = 0;
    while (budget.tryWithdraw()) retries += 1;
    expect(retries).toBe(10);
  });

  test("an hour without requests saves up no more than the maximum", () => {
    const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
    budget.deposit(0);
    budget.deposit(3_600_000);
    expect(budget.balance).toBe(10);
  });

  test("a clock that goes back pays nothing extra", () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 1, maxBalance: 100 });
    budget.deposit(10_000);
    budget.deposit(0);
    budget.deposit(10_000);
    expect(budget.balance).toBe(1);
  });

  test("a change of the settings keeps what was paid in, up to the new maximum", () => {
    const budget = new RetryBudget({ ...strict, ratio: 1 });
    for (let i = 0; i < 8; i++) budget.deposit(i);
    budget.reconfigure({ ...strict, maxBalance: 100 });
    expect(budget.balance).toBe(8);
    budget.reconfigure({ ...strict, maxBalance: 3 });
    expect(budget.balance).toBe(3);
  });

  test.each([20, 100, 1000])(
    "a full outage at %i requests per second: at most 1.2 times the load",
    (perSecond) => {
      const budget = new RetryBudget(DEFAULT_RETRY_BUDGET);
      const requests = perSecond * 60;
      let attempts = 0;
      for (let request = 0; request < requests; request++) {
        budget.deposit((request * 1000) / perSecond);
        attempts += 1;
        // Every attempt fails, and every request wants both of its retries.
        for (let retry = 0; retry < 2 && budget.tryWithdraw(); retry++) attempts += 1;
      }
      const initial = DEFAULT_RETRY_BUDGET.minPerSecond;
      expect(attempts).toBeLessThanOrEqual(1.2 * requests + initial);
      expect(attempts, "and the budget is there to be used").toBeGreaterThan(1.19 * requests);
    },
  );

  test("property: never negative, never above the maximum, and retries stay within what was paid in", () => {
    const settings = fc.record({
      ratio: fc.nat(100).map((percent) => percent / 100),
      minPerSecond: fc.nat(200).map((tenths) => tenths / 10),
      maxBalance: fc.integer({ min: 1, max: 50 }),
    });
    // A number: a request, that many milliseconds after the last one. undefined: somebody wants a retry.
    const steps = fc.array(fc.option(fc.integer({ min: -50, max: 400 }), { nil: undefined }), {
      maxLength: 300,
      size: "max",
    });
    fc.assert(
      fc.property(settings, steps, (limits, events) => {
        const budget = new RetryBudget(limits);
        let nowMs = 0;
        let firstMs: number | undefined;
        let latestMs = 0;
        let requests = 0;
        let retries = 0;
        for (const event of events) {
          if (event === undefined) {
            if (budget.tryWithdraw()) retries += 1;
          } else {
            nowMs += event;
            budget.deposit(nowMs);
            firstMs ??= nowMs;
            latestMs = Math.max(latestMs, nowMs);
            requests += 1;
          }
          expect(budget.balance).toBeGreaterThanOrEqual(0);
          expect(budget.balance).toBeLessThanOrEqual(limits.maxBalance);
          const seconds = Math.max(0, latestMs - (firstMs ?? 0)) / 1000;
          const paidIn = limits.ratio * requests + limits.minPerSecond * (1 + seconds);
          expect(retries).toBeLessThanOrEqual(paidIn + 1e-6);
        }
      }),
    );
  });

  test("property: without a minimum the ratio is the bound over any number of requests", () => {
    const wants = fc.array(fc.nat(3), { maxLength: 400, size: "max" });
    fc.assert(
      fc.property(fc.nat(100), wants, (percent, retriesWanted) => {
        const ratio = percent / 100;
        const budget = new RetryBudget({ ratio, minPerSecond: 0, maxBalance: 10 });
        let retries = 0;
        for (const [index, wanted] of retriesWanted.entries()) {
          budget.deposit(index * 3);
          for (let i = 0; i < wanted; i++) if (budget.tryWithdraw()) retries += 1;
          expect(retries).toBeLessThanOrEqual(ratio * (index + 1) + 1e-6);
        }
      }),
    );
  });
});
