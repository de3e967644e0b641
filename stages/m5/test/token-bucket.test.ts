import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RateLimitSettings } from "../src/resilience-settings.ts";
import { KeyedBuckets, TokenBucket } from "../src/token-bucket.ts";

const rateLimit = (ratePerSecond: number, burst: number): RateLimitSettings => ({ ratePerSecond, burst });

function takeAll(bucket: TokenBucket, nowMs: number): number {
  let taken = 0;
  while (bucket.tryTake(nowMs).ok) taken += 1;
  return taken;
}

describe("TokenBucket", () => {
  test("lets a burst through, then refuses and says when to come back", () => {
    const bucket = new TokenBucket(rateLimit(10, 3), 0);
    expect(takeAll(bucket, 0)).toBe(3);
    expect(bucket.tryTake(0)).toEqual({ ok: false, retryAfterMs: 100 });
    expect(bucket.tryTake(60)).toEqual({ ok: false, retryAfterMs: 40 });
    expect(bucket.tryTake(99)).toEqual({ ok: false, retryAfterMs: 1 });
    expect(bucket.tryTake(100)).toEqual({ ok: true });
    expect(bucket.tryTake(100).ok).toBe(false);
  });

  test("never holds more than its burst, however long it rested", () => {
    const bucket = new TokenBucket(rateLimit(1000, 5), 0);
    expect(takeAll(bucket, 3_600_000)).toBe(5);
  });

  test.each([
    [1, 1, 7],
    [3, 1, 1],
    [10, 5, 13],
    [100, 20, 1],
    [100, 200, 3],
    [333, 10, 2],
    [1000, 1, 0.25],
    [7.5, 2, 11],
  ])(
    "%f a second with a burst of %i, asked every %f ms: within one percent over 10 s",
    (ratePerSecond, burst, everyMs) => {
      const bucket = new TokenBucket(rateLimit(ratePerSecond, burst), 0);
      takeAll(bucket, 0);
      let taken = 0;
      for (let nowMs = everyMs; nowMs <= 10_000; nowMs += everyMs) if (bucket.tryTake(nowMs).ok) taken += 1;
      const expected = ratePerSecond * 10;
      expect(taken).toBeLessThanOrEqual(expected);
      // One token may still be under way when the ten seconds end.
      expect(taken).toBeGreaterThanOrEqual(Math.min(expected * 0.99, expected - 1));
    },
  );

  test("a clock that goes back neither fills nor drains it, nor fills it twice afterwards", () => {
    const bucket = new TokenBucket(rateLimit(10, 10), 1000);
    expect(takeAll(bucket, 1000)).toBe(10);
    expect(takeAll(bucket, 0)).toBe(0);
    expect(takeAll(bucket, 1000)).toBe(0);
    expect(takeAll(bucket, 1200)).toBe(2);
  });

  test("after a step of the clock back the wait it names is still true", () => {
    const bucket = new TokenBucket(rateLimit(10, 10), 1000);
    expect(takeAll(bucket, 1000)).toBe(10);
    expect(bucket.tryTake(400)).toEqual({ ok: false, retryAfterMs: 700 });
    expect(bucket.tryTake(1099).ok).toBe(false);
    expect(bucket.tryTake(1100).ok).toBe(true);
  });

  test.each([
    ["full stays full", 0, 200],
    ["half full stays half full", 50, 100],
    ["empty stays empty", 100, 0],
  ])("a change of the limit: %s", (_title, taken, levelAfter) => {
    const bucket = new TokenBucket(rateLimit(10, 100), 0);
    for (let i = 0; i < taken; i++) bucket.tryTake(0);
    bucket.reconfigure(rateLimit(20, 200), 0);
    expect(bucket.level(0)).toBeCloseTo(levelAfter, 9);
  });

  test("a change of the limit counts the time before it at the old rate", () => {
    const bucket = new TokenBucket(rateLimit(10, 100), 0);
    takeAll(bucket, 0);
    bucket.reconfigure(rateLimit(1, 100), 1000);
    expect(bucket.level(1000)).toBeCloseTo(10, 9);
    expect(bucket.level(2000)).toBeCloseTo(11, 9);
  });

  test("reading the level changes nothing", () => {
    const bucket = new TokenBucket(rateLimit(10, 5), 0);
    takeAll(bucket, 0);
    expect(bucket.level(10_000)).toBe(5);
    expect(bucket.tryTake(0).ok).toBe(false);
  });

  test.each([
    [0, 1],
    [-1, 1],
    [Number.NaN, 1],
    [1, 0],
    [1, 0.5],
    [1, Number.NaN],
  ])("refuses a rate of %f with a burst of %f", (ratePerSecond, burst) => {
    expect(() => new TokenBucket(rateLimit(ratePerSecond, burst), 0)).toThrow(RangeError);
    const bucket = new TokenBucket(rateLimit(1, 1), 0);
    expect(() => bucket.reconfigure(rateLimit(ratePerSecond, burst), 0)).toThrow(RangeError);
    expect(bucket.tryTake(0).ok, "a refused change leaves the bucket as it was").toBe(true);
  });

  const arrivals = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: -500, max: 3000 })), {
    maxLength: 400,
    size: "max",
  });
  const settings = fc.record({
    ratePerSecond: fc.double({ min: 0.1, max: 2000, noNaN: true }),
    burst: fc.integer({ min: 1, max: 300 }),
  });

  test("property: never lets more than burst + rate · t through in any stretch of time, whatever the clock does", () => {
    fc.assert(
      fc.property(settings, arrivals, (limit, steps) => {
        const bucket = new TokenBucket(limit, 0);
        const takenAt: number[] = [];
        let nowMs = 0;
        let latestMs = 0;
        for (const stepMs of steps) {
          nowMs += stepMs;
          latestMs = Math.max(latestMs, nowMs);
          if (bucket.tryTake(nowMs).ok) takenAt.push(latestMs);
        }
        for (let first = 0; first < takenAt.length; first += 7) {
          for (let last = first; last < takenAt.length; last += 5) {
            const seconds = ((takenAt[last] ?? 0) - (takenAt[first] ?? 0)) / 1000;
            expect(last - first + 1).toBeLessThanOrEqual(limit.burst + limit.ratePerSecond * seconds + 1e-6);
          }
        }
      }),
    );
  });

  test("property: waiting for as long as it says is enough, and one millisecond less is not", () => {
    fc.assert(
      fc.property(settings, fc.nat(5000), (limit, laterMs) => {
        const bucket = new TokenBucket(limit, 0);
        while (bucket.tryTake(laterMs).ok);
        const refused = bucket.tryTake(laterMs);
        if (refused.ok) throw new Error("an emptied bucket must refuse");
        expect(Number.isInteger(refused.retryAfterMs)).toBe(true);
        expect(bucket.level(laterMs + refused.retryAfterMs - 1)).toBeLessThan(1);
        expect(bucket.tryTake(laterMs + refused.retryAfterMs).ok).toBe(true);
      }),
    );
  });

  test("property: a change of the limit keeps the share to which the bucket is full", () => {
    fc.assert(
      fc.property(settings, settings, fc.nat(300), fc.nat(2000), (before, after, takes, nowMs) => {
        const bucket = new TokenBucket(before, 0);
        for (let i = 0; i < takes; i++) bucket.tryTake(0);
        const share = bucket.level(nowMs) / before.burst;
        bucket.reconfigure(after, nowMs);
        expect(bucket.level(nowMs) / after.burst).toBeCloseTo(share, 6);
      }),
    );
  });
});

describe("KeyedBuckets", () => {
  const placementByKey = new Map([
    ["acme", {}],
    ["globex", {}],
  ]);

  test("gives each listed key its own bucket", () => {
    const buckets = new KeyedBuckets();
    const keyLimits = new Map([
      ["acme", rateLimit(1, 2)],
      ["globex", rateLimit(1, 1)],
    ]);
    buckets.update({ placementByKey, keyLimits }, 0);
    expect([0, 0, 0].map((nowMs) => buckets.tryTake("acme", nowMs).ok)).toEqual([true, true, false]);
    expect(buckets.tryTake("globex", 0).ok, "acme's flood costs globex nothing").toBe(true);
    expect(buckets.tryTake("anyone", 0).ok, "no limit for unlisted keys was asked for").toBe(true);
  });

  test("limits a key that has a limit but no route of its own", () => {
    const buckets = new KeyedBuckets();
    buckets.update({ placementByKey, keyLimits: new Map([["walk-in", rateLimit(1, 1)]]) }, 0);
    expect(buckets.tryTake("walk-in", 0).ok).toBe(true);
    expect(buckets.tryTake("walk-in", 0).ok).toBe(false);
  });

  test("lets all invented keys share one bucket, without making one for any of them", () => {
    const buckets = new KeyedBuckets();
    buckets.update({ placementByKey, unlistedKeysLimit: rateLimit(1, 50) }, 0);
    let taken = 0;
    for (let i = 0; i < 100_000; i++) if (buckets.tryTake(`invented-${i}`, 0).ok) taken += 1;
    expect(taken).toBe(50);
    expect(buckets.size).toBe(1);
  });

  test("keeps a flood of invented keys away from the keys that the table routes", () => {
    const buckets = new KeyedBuckets();
    buckets.update({ placementByKey, unlistedKeysLimit: rateLimit(1, 1) }, 0);
    expect(buckets.tryTake("invented", 0).ok).toBe(true);
    expect(buckets.tryTake("invented", 0).ok).toBe(false);
    expect(buckets.tryTake("acme", 0).ok).toBe(true);
  });

  test.each(["__proto__", "constructor", "toString", ""])("takes %j for an ordinary unlisted key", (key) => {
    const buckets = new KeyedBuckets();
    buckets.update({ placementByKey, unlistedKeysLimit: rateLimit(1, 1) }, 0);
    expect(buckets.tryTake(key, 0).ok).toBe(true);
    expect(buckets.tryTake(key, 0).ok).toBe(false);
  });

  test("carries levels over a push: a tenant that used its burst up does not get a new one", () => {
    const buckets = new KeyedBuckets();
    const table = {
      placementByKey,
      keyLimits: new Map([["acme", rateLimit(1, 10)]]),
      unlistedKeysLimit: rateLimit(1, 10),
    };
    buckets.update(table, 0);
    for (let i = 0; i < 10; i++) {
      buckets.tryTake("acme", 0);
      buckets.tryTake("invented", 0);
    }
    buckets.update({ ...table, keyLimits: new Map([["acme", rateLimit(5, 20)]]) }, 0);
    expect(buckets.tryTake("acme", 0).ok).toBe(false);
    expect(buckets.tryTake("invented", 0).ok).toBe(false);
    expect(buckets.tryTake("acme", 200).ok, "and the new rate counts from now on").toBe(true);
  });

  test("forgets the buckets of keys that are no longer limited", () => {
    const buckets = new KeyedBuckets();
    buckets.update(
      { placementByKey, keyLimits: new Map([["acme", rateLimit(1, 1)]]), unlistedKeysLimit: rateLimit(1, 1) },
      0,
    );
    expect(buckets.size).toBe(2);
    buckets.update({ placementByKey }, 0);
    expect(buckets.size).toBe(0);
    for (let i = 0; i < 10; i++) expect(buckets.tryTake("acme", 0).ok).toBe(true);
  });
});
