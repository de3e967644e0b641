import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TimeBudget } from "../src/intake-budget.ts";

const limits = { share: 0.1, burstMs: 1_000 };

describe("TimeBudget", () => {
  test("lets an ordinary change through at once, and a row of them", () => {
    const budget = new TimeBudget(limits, 0);
    for (let change = 0; change < 10; change++) {
      expect(budget.waitMs(0)).toBe(0);
      budget.spend(100, 0);
    }
    expect(budget.waitMs(0)).toBe(0);
    budget.spend(1, 0);
    expect(budget.waitMs(0)).toBe(10);
    expect(budget.waitMs(9)).toBeGreaterThan(0);
    expect(budget.waitMs(10)).toBe(0);
  });

  test("what has cost much makes the next one wait long, but no stopped process waits for hours", () => {
    const budget = new TimeBudget(limits, 0);
    budget.spend(3_000, 3_000);
    expect(budget.waitMs(3_000)).toBe(20_000);
    budget.spend(3_600_000, 3_603_000);
    expect(budget.waitMs(3_603_000)).toBe(50_000);
  });

  test("saves up no more than one burst", () => {
    const budget = new TimeBudget(limits, 0);
    budget.spend(1_500, 1_000_000);
    expect(budget.waitMs(1_000_000)).toBe(5_000);
  });

  test("in the long run gives no more than its share, whatever comes, and one piece of work", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 2_000 }))),
        (work) => {
          const budget = new TimeBudget(limits, 0);
          let [nowMs, spentMs] = [0, 0];
          for (const [costMs, pauseMs] of work) {
            nowMs += budget.waitMs(nowMs);
            // Done before the clock goes on.
            nowMs += costMs;
            spentMs += costMs;
            budget.spend(costMs, nowMs);
            nowMs += pauseMs;
            expect(spentMs).toBeLessThanOrEqual(limits.burstMs + nowMs * limits.share + costMs);
          }
        },
      ),
    );
  });
});
