import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextDelayMs } from "../src/backoff.ts";

const settings = { baseMs: 1000, capMs: 60_000 };
const almostOne = () => 1 - Number.EPSILON;

describe("nextDelayMs", () => {
  test.each([
    [0, 1000],
    [1, 2000],
    [2, 4000],
    [5, 32_000],
    [6, 60_000],
    [7, 60_000],
    [5000, 60_000],
  ])("attempt %i waits for less than %i ms", (attempt, ceilingMs) => {
    expect(nextDelayMs(attempt, almostOne, settings)).toBeCloseTo(ceilingMs, 3);
    expect(nextDelayMs(attempt, () => 0.5, settings)).toBe(ceilingMs / 2);
    expect(nextDelayMs(attempt, () => 0, settings)).toBe(0);
  });

  test("stays within [0, ceiling) for any attempt, chance and settings", () => {
    fc.assert(
      fc.property(
        fc.nat(10_000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 0, max: 100_000 }),
        (attempt, chance, baseMs, extraMs) => {
          const capMs = baseMs + extraMs;
          const delayMs = nextDelayMs(attempt, () => chance, { baseMs, capMs });
          expect(delayMs).toBeGreaterThanOrEqual(0);
          expect(delayMs).toBeLessThanOrEqual(Math.min(capMs, baseMs * 2 ** attempt));
          expect(Number.isFinite(delayMs)).toBe(true);
        },
      ),
    );
  });

  test("spreads a fleet that lost its connection at one moment over the whole range", () => {
    // 1,000 routers, one draw each: every tenth of the range gets its share. Seeded, so it cannot flake.
    let seed = 42;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const tenths = new Array<number>(10).fill(0);
    for (let router = 0; router < 1000; router++) {
      const tenth = Math.floor(nextDelayMs(3, random, settings) / 800);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(count).toBeGreaterThan(60);
  });
});
