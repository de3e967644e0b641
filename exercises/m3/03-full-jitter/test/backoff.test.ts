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

test("the ceiling doubles with each attempt, up to the cap", async () => {
  await check({
    sent: "nextDelayMs for the attempts 0 to 7 with a draw just below 1, to the nearest 10 ms",
    expected: [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000],
    got: () =>
      // Whoever cuts a delay to whole milliseconds has made no mistake.
      [0, 1, 2, 3, 4, 5, 6, 7].map((attempt) => {
        return Math.round(nextDelayMs(attempt, almostOne, settings) / 10) * 10;
      }),
    likely: "Attempt 0 is the first delay, and its ceiling is the base itself; no ceiling is above the cap.",
    lookAt: "backoff.ts, the ceiling in nextDelayMs",
  });
});

test("the draw decides everything below the ceiling", async () => {
  await check({
    sent: "nextDelayMs with the draw 0, 0.25 and 0.5, at attempt 3 (ceiling 8,000) and at attempt 20 (ceiling 60,000)",
    expected: [0, 2_000, 4_000, 0, 15_000, 30_000],
    got: () =>
      [3, 20].flatMap((attempt) => [0, 0.25, 0.5].map((draw) => nextDelayMs(attempt, () => draw, settings))),
    likely: "A part of the delay is the same for everyone, whatever is drawn.",
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
    likely: "A part of the range stays empty, and the routers crowd in what is left of it.",
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
    likely: "Nobody waits for longer than the cap, but most of them wait for exactly the cap.",
    lookAt: "backoff.ts, the order of cap and draw in nextDelayMs",
    hint: 3,
  });
});

test("after five thousand failures the delay is still a number below the cap", async () => {
  await check({
    sent: "nextDelayMs(5000, …) with the draw 0, 0.5 and just below 1",
    expected: "three numbers from 0 to 60000",
    got: () => [() => 0, () => 0.5, almostOne].map((random) => nextDelayMs(5_000, random, settings)),
    accept: (delays) => delays.every((delayMs) => delayMs >= 0 && delayMs <= 60_000),
    likely: "2 ** 5000 is Infinity, and Infinity reached the result, perhaps as NaN.",
    lookAt: "backoff.ts, the order of cap and draw in nextDelayMs",
    hint: 3,
  });
});
