import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { nextDelayMs } from "../starter/backoff.ts";

const settings = { baseMs: 1_000, capMs: 60_000 };
const almostOne = () => 1 - Number.EPSILON;
const lookAt = "backoff.ts, nextDelayMs";

/** How many of 1,000 routers come back in each tenth of the range. Seeded: the same draws in every run. */
function routersInEachTenth(attempt: number, rangeMs: number): number[] {
  let seed = 42;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const tenths = new Array<number>(10).fill(0);
  for (let router = 0; router < 1_000; router++) {
    const tenth = Math.min(9, Math.floor((nextDelayMs(attempt, random, settings) / rangeMs) * 10));
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  return tenths;
}

const even = (tenths: number[]) => tenths.every((count) => count > 60 && count < 140);

/** Whoever cuts a delay to whole milliseconds has made no mistake. */
const near = (delays: number[], wanted: number[]) =>
  delays.length === wanted.length &&
  delays.every((delayMs, at) => Math.abs(delayMs - (wanted[at] ?? 0)) <= 1);

test("the ceiling doubles with each attempt, up to the cap", async () => {
  const wanted = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
  await check({
    sent: "baseMs 1,000, capMs 60,000: nextDelayMs for the attempts 0 to 7 with a draw just below 1",
    expected: `${JSON.stringify(wanted)}, each to 1 ms`,
    got: () => wanted.map((_, attempt) => nextDelayMs(attempt, almostOne, settings)),
    accept: (delays) => near(delays, wanted),
    likely: "Attempt 0 is the first delay, and its ceiling is the base itself. No ceiling is above the cap.",
    lookAt: "backoff.ts, the ceiling in nextDelayMs",
  });
});

test("the ceiling follows whatever base and cap it is given", async () => {
  const wanted = [500, 700, 700, 8_192, 60_000, 300];
  await check({
    sent: "a draw just below 1: baseMs 500 and capMs 700 at the attempts 0, 1 and 2; baseMs 1 and capMs 60,000 at 13 and 16; baseMs 300 and capMs 300 at 0",
    expected: `${JSON.stringify(wanted)}, each to 1 ms`,
    got: () => [
      ...[0, 1, 2].map((attempt) => nextDelayMs(attempt, almostOne, { baseMs: 500, capMs: 700 })),
      ...[13, 16].map((attempt) => nextDelayMs(attempt, almostOne, { baseMs: 1, capMs: 60_000 })),
      nextDelayMs(0, almostOne, { baseMs: 300, capMs: 300 }),
    ],
    accept: (delays) => near(delays, wanted),
    likely: "The doubling goes on until the cap is reached, however many attempts that takes.",
    lookAt: "backoff.ts, the ceiling in nextDelayMs",
  });
});

test("the draw decides everything below the ceiling", async () => {
  await check({
    sent: "nextDelayMs with the draws 0, 0.25 and 0.5, at attempt 3 (ceiling 8,000) and 20 (ceiling 60,000)",
    expected: [0, 2_000, 4_000, 0, 15_000, 30_000],
    got: () =>
      [3, 20].flatMap((attempt) => [0, 0.25, 0.5].map((draw) => nextDelayMs(attempt, () => draw, settings))),
    likely: "The whole delay comes from the draw: the draw times the ceiling, and nothing else.",
    lookAt,
    hint: 2,
  });
});

test("the draw decides everything from the first attempt on", async () => {
  await check({
    sent: "nextDelayMs with the draws 0, 0.25 and 0.5, at attempt 0 (ceiling 1,000)",
    expected: [0, 250, 500],
    got: () => [0, 0.25, 0.5].map((draw) => nextDelayMs(0, () => draw, settings)),
    likely: "The first delay is drawn like any other: its ceiling is the base.",
    lookAt,
    hint: 2,
  });
});

test("a thousand routers that lost their link together come back over the whole range", async () => {
  await check({
    sent: "attempt 3 of 1,000 routers; how many come back in each tenth of 8,000 ms",
    expected: "about 100 in each tenth",
    got: () => routersInEachTenth(3, 8_000),
    accept: even,
    likely:
      "Where a tenth has few routers, other tenths have too many, and the control plane meets those at once.",
    lookAt,
    hint: 1,
  });
});

test("at the cap, too, a thousand routers come back over the whole range", async () => {
  await check({
    sent: "attempt 12 of 1,000 routers; how many come back in each tenth of 60,000 ms",
    expected: "about 100 in each tenth",
    got: () => routersInEachTenth(12, 60_000),
    accept: even,
    likely:
      "Where a tenth has few routers, other tenths have too many. Many in the last tenth wait for exactly the cap.",
    lookAt: "backoff.ts, the order of cap and draw in nextDelayMs",
    hint: 3,
  });
});

test("after many failures the ceiling is still the cap", async () => {
  await check({
    sent: "nextDelayMs with the draw 0.5 for the attempts 7 to 70, 1,023, 1,024 and 5,000, and the first that is not 30,000",
    expected: "none",
    got: () => {
      const attempts = [...Array.from({ length: 64 }, (_, at) => at + 7), 1_023, 1_024, 5_000];
      const wrong = attempts.find((attempt) => nextDelayMs(attempt, () => 0.5, settings) !== 30_000);
      return wrong === undefined ? "none" : `${nextDelayMs(wrong, () => 0.5, settings)} at attempt ${wrong}`;
    },
    likely: "Numbers end somewhere: 1 << 31 is negative, and 2 ** 1024 is Infinity.",
    lookAt: "backoff.ts, the ceiling in nextDelayMs",
    hint: 3,
  });
});

test("after five thousand failures the delay is still a number up to the cap", async () => {
  await check({
    sent: "nextDelayMs(5000, …) with the draws 0, 0.5 and just below 1",
    expected: "three numbers from 0 to 60000",
    got: () => [() => 0, () => 0.5, almostOne].map((random) => nextDelayMs(5_000, random, settings)),
    accept: (delays) => delays.every((delayMs) => delayMs >= 0 && delayMs <= 60_000),
    likely: "2 ** 5000 is Infinity, and 0 times Infinity is NaN. A delay above the cap was never capped.",
    lookAt: "backoff.ts, the order of cap and draw in nextDelayMs",
    hint: 3,
  });
});
