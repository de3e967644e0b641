// Tallied counts against prom-client's own: whatever is counted, both say the same.

import fc from "fast-check";
import { Counter, Histogram, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import type { Outcome } from "../src/access-log.ts";
import { DurationHistogram } from "../src/trim/duration-histogram.ts";
import { durationBounds, Tallies } from "../src/trim/tallies.ts";

const placement = fc.constantFrom("tier1", "tier2", "visa");

/** The samples of a text in Prometheus' format, in any order. */
const samples = (text: string): string[] => text.split("\n").filter(Boolean).sort();

describe("tallied durations", () => {
  const durations = fc.oneof(
    fc.constantFrom(0, ...durationBounds, 10.5),
    fc.double({ min: 0, max: 20, noNaN: true }),
  );

  test("are what prom-client's histogram says, bounds included", async () => {
    const asked = fc.asyncProperty(fc.array(fc.tuple(placement, durations)), async (observed) => {
      const theirs = new Registry();
      const histogram = new Histogram({
        name: "seconds",
        help: "Time.",
        labelNames: ["placement"],
        buckets: [...durationBounds],
        registers: [theirs],
      });
      const tallies = new Tallies();
      const ours = new Registry();
      ours.registerMetric(new DurationHistogram("seconds", "Time.", tallies).asMetric());
      for (const [name, seconds] of observed) {
        histogram.observe({ placement: name }, seconds);
        tallies.of(name).duration(seconds);
      }
      expect(samples(await ours.metrics())).toEqual(samples(await theirs.metrics()));
    });
    await fc.assert(asked, { numRuns: 50 });
  });

  test("show nothing of a placement that has only been attempted", async () => {
    const tallies = new Tallies();
    tallies.of("tier1").attempts.failure += 1;
    expect((await new DurationHistogram("seconds", "Time.", tallies).get()).values).toEqual([]);
  });
});

describe("tallied requests", () => {
  const status = fc.constantFrom(0, 101, 200, 204, 304, 404, 429, 500, 503, 599);
  const outcome = fc.constantFrom<Outcome>("complete", "client-aborted", "upstream-failed");

  test("are what prom-client's counter says", async () => {
    const asked = fc.asyncProperty(fc.array(fc.tuple(placement, status, outcome)), async (ended) => {
      const registers = [new Registry()];
      const labelNames = ["placement", "status", "outcome"] as const;
      const counter = new Counter({ name: "requests", help: "Requests.", labelNames, registers });
      const tallies = new Tallies();
      for (const [name, code, how] of ended) {
        counter.inc({ placement: name, status: `${Math.floor(code / 100)}xx`, outcome: how });
        tallies.of(name).request(code, how);
      }
      const counted = [...tallies].flatMap(([name, tally]) =>
        [...tally.requests()].map(({ status, outcome, count }) => ({
          value: count,
          labels: { placement: name, status, outcome },
        })),
      );
      const { values } = await counter.get();
      expect(counted).toHaveLength(values.length);
      expect(counted).toEqual(expect.arrayContaining(values));
    });
    await fc.assert(asked, { numRuns: 50 });
  });
});
