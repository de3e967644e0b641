import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConcurrencyLimit, type Permit } from "../src/concurrency-limit.ts";

describe("ConcurrencyLimit", () => {
  test("grants as many permits as the limit says, and the next one when one came back", () => {
    const limit = new ConcurrencyLimit(2);
    const first = limit.tryAcquire();
    expect(limit.tryAcquire()).toBeDefined();
    expect(limit.tryAcquire()).toBeUndefined();
    first?.release();
    expect(limit.inFlight).toBe(1);
    expect(limit.tryAcquire()).toBeDefined();
    expect(limit.tryAcquire()).toBeUndefined();
  });

  test("a permit that is released twice gives one place back", () => {
    const limit = new ConcurrencyLimit(2);
    const first = limit.tryAcquire();
    limit.tryAcquire();
    first?.release();
    first?.release();
    expect(limit.inFlight).toBe(1);
  });

  test("without a limit it grants everything and still counts", () => {
    const limit = new ConcurrencyLimit(undefined);
    const permits = Array.from({ length: 1000 }, () => limit.tryAcquire());
    expect(permits).not.toContain(undefined);
    expect(limit.inFlight).toBe(1000);
  });

  test("a limit lowered below what is in flight grants nothing until enough came back", () => {
    const limit = new ConcurrencyLimit(3);
    const permits = [limit.tryAcquire(), limit.tryAcquire(), limit.tryAcquire()];
    limit.reconfigure(2);
    permits[0]?.release();
    expect(limit.tryAcquire()).toBeUndefined();
    permits[1]?.release();
    expect(limit.tryAcquire()).toBeDefined();
    expect(limit.inFlight).toBe(2);
  });

  test("a raised limit counts at once", () => {
    const limit = new ConcurrencyLimit(1);
    limit.tryAcquire();
    expect(limit.tryAcquire()).toBeUndefined();
    limit.reconfigure(2);
    expect(limit.tryAcquire()).toBeDefined();
  });

  test.each([0, -1, Number.NaN, 0.5])("refuses a limit of %f", (bad) => {
    expect(() => new ConcurrencyLimit(bad)).toThrow(RangeError);
    expect(() => new ConcurrencyLimit(1).reconfigure(bad)).toThrow(RangeError);
  });

  type Step =
    | { kind: "acquire" }
    | { kind: "release"; which: number }
    | { kind: "reconfigure"; limit: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step>({ kind: "acquire" }) },
    { weight: 4, arbitrary: fc.nat(200).map((which): Step => ({ kind: "release", which })) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: 8 }).map((limit): Step => ({ kind: "reconfigure", limit })),
    },
  );

  test("property: no permit leaks, none is granted above the limit, whatever is released how often", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(step, { maxLength: 200, size: "max" }),
        (start, steps) => {
          const limit = new ConcurrencyLimit(start);
          const granted: Permit[] = [];
          const out = new Set<Permit>();
          for (const each of steps) {
            if (each.kind === "acquire") {
              const hasRoom = out.size < limit.limit;
              const permit = limit.tryAcquire();
              expect(permit !== undefined).toBe(hasRoom);
              if (permit !== undefined) {
                granted.push(permit);
                out.add(permit);
              }
            } else if (each.kind === "release") {
              // Any permit ever granted: many of these are second and third releases.
              const permit = granted[each.which % Math.max(1, granted.length)];
              permit?.release();
              if (permit !== undefined) out.delete(permit);
            } else {
              limit.reconfigure(each.limit);
            }
            expect(limit.inFlight).toBe(out.size);
          }
          for (const permit of granted) permit.release();
          expect(limit.inFlight).toBe(0);
        },
      ),
    );
  });
});
