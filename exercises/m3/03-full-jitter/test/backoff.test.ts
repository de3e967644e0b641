import { test } from "vitest";
import { check, ifGot } from "../../../support/check.ts";
import { nextDelayMs } from "../starter/backoff.ts";

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** What the tenths of the range show. */
const tenthsShow = ifGot<number[]>(
  [(tenths) => (tenths[9] ?? 0) > 900, "Nearly all routers come back in the last tenth."],
  [(tenths) => sum(tenths.slice(0, 5)) === 0, "Nobody comes back in the first half of the range."],
  [(tenths) => sum(tenths.slice(5)) === 0, "Nobody comes back in the second half of the range."],
  [
    (tenths) => sum(tenths.slice(4, 6)) > 2 * sum([...tenths.slice(0, 1), ...tenths.slice(9)]),
    "The middle of the range gets far more routers than its two ends.",
  ],
);

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
    likely: ifGot(
      [(delays) => delays.some((delayMs) => delayMs > 60_001), "A delay is above the cap."],
      [([first = 0]) => first > 1_001, "The first delay is above the base."],
      [
        ([first = 0]) => Math.abs(first - 500) <= 1,
        "With the highest draw, the first delay is half of the base.",
      ],
      [
        (delays) => delays.some((delayMs, at) => delayMs < (delays[at - 1] ?? 0) - 1),
        "A later delay is below an earlier one, although both have the same draw.",
      ],
    ),
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
    likely: ifGot(
      [
        (delays) =>
          delays.some((delayMs, at) => delayMs > ([700, 700, 700, 60_000, 60_000, 300][at] ?? 0) + 1),
        "A delay is above its cap.",
      ],
      [
        ([first = 0]) => Math.abs(first - 250) <= 1,
        "With the highest draw, the first delay is half of the base.",
      ],
      [
        (delays) => near(delays.slice(0, 3), wanted.slice(0, 3)) && (delays[3] ?? 0) < 8_191,
        "At attempt 13, the delay has not doubled 13 times.",
      ],
    ),
    lookAt: "backoff.ts, the ceiling in nextDelayMs",
  });
});

test("the draw decides everything below the ceiling", async () => {
  await check({
    sent: "nextDelayMs with the draws 0, 0.25 and 0.5, at attempt 3 (ceiling 8,000) and 20 (ceiling 60,000)",
    expected: [0, 2_000, 4_000, 0, 15_000, 30_000],
    got: () =>
      [3, 20].flatMap((attempt) => [0, 0.25, 0.5].map((draw) => nextDelayMs(attempt, () => draw, settings))),
    likely: ifGot(
      [(delays) => delays.some((delayMs) => delayMs > 60_000), "A delay is above the cap."],
      [
        ([atZero = 0]) => atZero > 0,
        "The draw was 0 but the delay is not: a part of it doesn't come from the draw.",
      ],
      [
        ([, , , , quarter, half]) => quarter === half,
        "At the cap, two draws give one delay: what is drawn above the cap is cut off.",
      ],
      [
        ([, quarter = 0]) => Math.abs(quarter - 1_000) <= 1,
        "At attempt 3, the delays are half of what the draws ask for.",
      ],
    ),
    lookAt,
    hint: 2,
  });
});

test("the draw decides everything from the first attempt on", async () => {
  await check({
    sent: "nextDelayMs with the draws 0, 0.25 and 0.5, at attempt 0 (ceiling 1,000)",
    expected: [0, 250, 500],
    got: () => [0, 0.25, 0.5].map((draw) => nextDelayMs(0, () => draw, settings)),
    likely: ifGot(
      [([low, , high]) => low === high, "The draws 0 and 0.5 give the same delay."],
      [
        ([atZero = 0]) => atZero > 0,
        "The draw was 0 but the delay is not: a part of it doesn't come from the draw.",
      ],
      [([, , half = 500]) => Math.abs(half - 250) <= 1, "The delays are half of what the draws ask for."],
    ),
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
    likely: tenthsShow,
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
    likely: tenthsShow,
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
    likely: ifGot(
      [(got) => got.startsWith("-"), "After many doublings, the delay is negative."],
      [(got) => got.startsWith("NaN"), "A delay is not a number."],
      [
        (got) => got.endsWith(" at attempt 7"),
        "The first of these attempts already has another delay, so it is not the number of failures that matters.",
      ],
      [(got) => Number.parseFloat(got) > 60_000, "A delay is above the cap."],
    ),
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
    likely: ifGot(
      [(delays) => delays.some(Number.isNaN), "A delay is not a number."],
      [(delays) => delays.some((delayMs) => delayMs > 60_000), "A delay is above the cap."],
      [(delays) => delays.some((delayMs) => delayMs < 0), "A delay is negative."],
    ),
    lookAt: "backoff.ts, the order of cap and draw in nextDelayMs",
    hint: 3,
  });
});
