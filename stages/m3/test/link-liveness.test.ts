import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { untilDead } from "../src/link-liveness.ts";

const limits = { pingEveryMs: 3_000, deadAfterMs: 6_000 };

/** A link that a test moves by hand. */
function watched(grace = 0) {
  const link = {
    moved: 0,
    pings: 0,
    graceMs: () => grace,
    bytesReceived: () => link.moved,
    ping: () => void link.pings++,
  };
  const clock = new FakeClock();
  const stop = new AbortController();
  let result: boolean | undefined;
  void untilDead(link, clock, limits, stop.signal).then((dead) => {
    result = dead;
  });
  return { link, clock, stop, result: () => result };
}

describe("untilDead", () => {
  test("a link on which nothing moves is dead within pingEveryMs + deadAfterMs", async () => {
    const { link, clock, result } = watched();
    // It lived until just after the first look.
    await clock.advance(3_000);
    link.moved += 1;
    await clock.advance(8_900);
    expect(result()).toBeUndefined();
    await clock.advance(100);
    expect(result()).toBe(true);
    expect(clock.now()).toBe(12_000);
  });

  test("a link that answers each ping is never dead, and is pinged every time", async () => {
    const { link, clock, stop, result } = watched();
    for (let round = 0; round < 100; round++) {
      await clock.advance(2_999);
      link.moved += 2;
      await clock.advance(1);
    }
    expect(result()).toBeUndefined();
    expect(link.pings).toBe(101);
    stop.abort();
    await clock.advance(0);
    expect(result()).toBe(false);
    expect(clock.sleeping).toBe(0);
  });

  test("an end that has much to read gets the time for it", async () => {
    const { clock, result } = watched(9_000);
    await clock.advance(14_999);
    expect(result()).toBeUndefined();
    await clock.advance(1);
    expect(result()).toBe(true);
  });

  test("a process that stood still does not blame the other end", async () => {
    const link = { bytesReceived: () => 0, graceMs: () => 0, ping: () => {} };
    let nowMs = 0;
    let sleeps = 0;
    // Each sleep takes a minute instead of three seconds; from the fourth on it is punctual.
    const clock = {
      now: () => nowMs,
      sleep: async (ms: number) => {
        sleeps += 1;
        nowMs += sleeps <= 3 ? 60_000 : ms;
      },
    };
    expect(await untilDead(link, clock, limits, new AbortController().signal)).toBe(true);
    expect(sleeps).toBe(5);
  });
});
