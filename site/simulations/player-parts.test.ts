// What stands between a recording and its picture: faults in an address, trips and their queue, the strip of figures.

import { describe, expect, test } from "vitest";
import { formatFaults, isBroken, readFaults, toggled } from "./faults.ts";
import { timelineOf, totals } from "./timeline.ts";
import { TripIndex, Trips } from "./trips.ts";

const targets = { a: "a is down", "b-1": "b is down" };

describe("faults", () => {
  test("keeps what it can read of an address, in order of time", () => {
    const text = "b-1_5000_6000.a_1_20.nobody_1_2.a_9_3.a_x_3.constructor_1_2";
    expect(formatFaults(readFaults(text, targets))).toBe("a_1_20.b-1_5000_6000");
    expect(readFaults("", targets)).toEqual([]);
  });

  test("breaks a thing from now to the end, and mends it at a later moment", () => {
    const broken = toggled([], "a", 100, 1_000);
    expect(broken).toEqual([{ target: "a", fromMs: 100, untilMs: 1_000 }]);
    const mended = toggled(broken, "a", 400, 1_000);
    expect(mended).toEqual([{ target: "a", fromMs: 100, untilMs: 400 }]);
    expect([isBroken(mended, "a", 399), isBroken(mended, "a", 400)]).toEqual([true, false]);
  });

  test("forgets what was planned for that thing, and leaves other things alone", () => {
    const planned = readFaults("a_500_600.b-1_500_600", targets);
    expect(formatFaults(toggled(planned, "a", 100, 1_000))).toBe("a_100_1000.b-1_500_600");
  });

  test("leaves no trace of a thing that is broken and mended at the same moment", () => {
    expect(toggled(toggled([], "a", 100, 1_000), "a", 100, 1_000)).toEqual([]);
  });
});

describe("trips", () => {
  test("give the lowest free position, so that a queue stays dense", () => {
    const trips = new Trips();
    const [first, second, third] = ["x", "y", "z"].map((owner) => trips.begin(owner, "start", 0));
    first?.move("queue", 0, 10);
    second?.move("queue", 0, 10);
    first?.end("failed", 50);
    third?.move("queue", 60, 10);
    expect(trips.finish(100).map(({ legs }) => legs[0]?.toSlot)).toEqual([0, 1, 0]);
  });

  test("are found at every moment at which they are seen", () => {
    const trips = new Trips();
    const trip = trips.begin("x", "start", 1_234);
    trip.move("end", 1_234, 400);
    trip.end("failed", 1_700);
    const index = new TripIndex(trips.finish(5_000));
    const seenAt = [1_000, 1_234, 1_700, 2_300, 3_500].filter((atMs) => index.near(atMs).length > 0);
    expect(seenAt).toEqual([1_000, 1_234, 1_700, 2_300]);
  });
});

describe("the strip under a scene", () => {
  test("counts how requests ended and how many are under way, and leaves messages out", () => {
    const trips = new Trips();
    const trip = (owner: string, from: number, until: number, result: "good" | "failed" | "note") => {
      const begun = trips.begin(owner, "a", from);
      begun.move("b", from, 10);
      begun.end(result, until);
    };
    trip("x", 0, 150, "good");
    trip("x", 20, 170, "failed");
    trip("loud", 30, 180, "failed");
    trip("ack", 0, 50, "note");
    trips.begin("x", "a", 250).move("b", 250, 10);
    const recorded = trips.finish(300);
    const slices = timelineOf(recorded, 300, 100, new Set(["loud"]));
    expect(slices.map(({ successRatio }) => successRatio)).toEqual([undefined, 0.5, undefined]);
    expect(slices.map(({ inFlight }) => inFlight)).toEqual([3, 0, 1]);
    expect(slices[1]?.latencyMs).toBe(150);
    expect(totals(recorded)).toEqual({ good: 1, bad: 2 });
  });
});
