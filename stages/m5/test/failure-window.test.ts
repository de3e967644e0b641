import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FailureWindow } from "../src/failure-window.ts";

describe("FailureWindow", () => {
  test("counts results and failures", () => {
    const window = new FailureWindow(1000);
    window.add(true, 0);
    window.add(false, 10);
    window.add(true, 999);
    expect([window.total, window.failures]).toEqual([3, 2]);
  });

  test("forgets what is older than the window", () => {
    const window = new FailureWindow(1000);
    window.add(true, 50);
    window.add(true, 950);
    window.add(false, 1000);
    expect([window.total, window.failures]).toEqual([2, 1]);
    window.add(false, 5000);
    expect([window.total, window.failures]).toEqual([1, 0]);
  });

  test("keeps everything when the clock goes back", () => {
    const window = new FailureWindow(1000);
    window.add(true, 5000);
    window.add(true, 0);
    window.add(true, 5001);
    expect([window.total, window.failures]).toEqual([3, 3]);
  });

  test("property: holds all of the last nine tenths and nothing from before the window", () => {
    const results = fc.array(fc.tuple(fc.nat(700), fc.boolean()), {
      minLength: 1,
      maxLength: 200,
      size: "max",
    });
    fc.assert(
      fc.property(
        fc.integer({ min: -100_000, max: 100_000 }),
        fc.integer({ min: 10, max: 5000 }),
        results,
        (startMs, windowMs, steps) => {
          const window = new FailureWindow(windowMs);
          const seen: { atMs: number; failed: boolean }[] = [];
          let nowMs = startMs;
          for (const [stepMs, failed] of steps) {
            nowMs += stepMs;
            window.add(failed, nowMs);
            seen.push({ atMs: nowMs, failed });
            const atLeast = seen.filter(({ atMs }) => atMs > nowMs - windowMs * 0.9 + 1e-6);
            const atMost = seen.filter(({ atMs }) => atMs > nowMs - windowMs - 1e-6);
            expect(window.total).toBeGreaterThanOrEqual(atLeast.length);
            expect(window.total).toBeLessThanOrEqual(atMost.length);
            expect(window.failures).toBeGreaterThanOrEqual(atLeast.filter((each) => each.failed).length);
            expect(window.failures).toBeLessThanOrEqual(atMost.filter((each) => each.failed).length);
          }
        },
      ),
    );
  });
});
