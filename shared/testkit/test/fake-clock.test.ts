import { expect, test } from "vitest";
import { FakeClock } from "../fake-clock.ts";

test("wakes sleepers in the order of their time, and shows each its own time", async () => {
  const clock = new FakeClock(1000);
  const woken: [string, number][] = [];
  const sleep = async (name: string, ms: number) => {
    await clock.sleep(ms);
    woken.push([name, clock.now()]);
  };
  const all = [sleep("late", 30), sleep("early", 10), sleep("later", 40)];
  await clock.advance(30);
  expect(woken).toEqual([
    ["early", 1010],
    ["late", 1030],
  ]);
  expect([clock.now(), clock.sleeping, clock.nextWakeInMs]).toEqual([1030, 1, 10]);
  await clock.advance(10);
  await Promise.all(all);
});

test("wakes a loop that sleeps again within the span once for each of its turns", async () => {
  const clock = new FakeClock();
  const turns: number[] = [];
  const stop = new AbortController();
  const loop = (async () => {
    for (;;) {
      await clock.sleep(100, stop.signal);
      turns.push(clock.now());
    }
  })();
  await clock.advance(350);
  expect(turns).toEqual([100, 200, 300]);
  stop.abort();
  await expect(loop).rejects.toThrow(/abort/i);
  expect(clock.sleeping).toBe(0);
});

test("rejects at once for a signal that has aborted", async () => {
  await expect(new FakeClock().sleep(1, AbortSignal.abort())).rejects.toThrow(/abort/i);
});

test("does not wake anyone before its time", async () => {
  const clock = new FakeClock();
  let woken = false;
  const sleeper = clock.sleep(10).then(() => {
    woken = true;
  });
  await clock.advance(9);
  expect(woken).toBe(false);
  await clock.advance(1);
  await sleeper;
  expect(woken).toBe(true);
});
