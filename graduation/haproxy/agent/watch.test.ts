// How often the agent looks, by a clock that only counts.

import pino from "pino";
import { expect, test } from "vitest";
import { watch } from "./watch.ts";

test("a look that fails again and again is taken less and less often, also while HAProxy lives", async () => {
  let nowMs = 0;
  const looksAtMs: number[] = [];
  const stop = new AbortController();
  await watch(
    {
      revive: async () => {},
      compare: async () => {
        looksAtMs.push(nowMs);
        if (looksAtMs.length === 40) stop.abort();
        throw new Error("no Runtime API");
      },
      clock: {
        now: () => nowMs,
        sleep: async (ms) => {
          nowMs += ms;
        },
      },
      random: () => 1,
      logger: pino({ level: "silent" }),
    },
    stop.signal,
  );
  const pauses = looksAtMs.map((atMs, index) => atMs - (looksAtMs[index - 1] ?? 0));
  expect(pauses.slice(1, 5)).toEqual([350, 450, 650, 1_050]);
  expect(pauses.at(-1), "the cap, and the look at whether HAProxy lives").toBe(5_250);
});
