// How soon a change must be in use, and how that is judged on a machine that is doing other things as well.

import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** From the end of a write to its effect. */
const seenWithinMs = 100;

const thisFile = fileURLToPath(import.meta.url);

/**
 * Runs `measure`, which returns milliseconds, and takes off what the machine cost meanwhile: how much longer than asked it
 * took for a wait of 20 ms and twenty looks at a file, which is about what a router has to do.
 */
export async function withoutMachineDelay(measure: () => Promise<number>): Promise<number> {
  const [tookMs, machineMs] = await Promise.all([measure(), machineDelayMs()]);
  return Math.round(tookMs - machineMs);
}

async function machineDelayMs(): Promise<number> {
  const startedAt = performance.now();
  await delay(20);
  for (let look = 0; look < 20; look++) await stat(thisFile);
  return performance.now() - startedAt - 20;
}

/**
 * Judges the third-fastest of several changes. A router that only looks now and then would have to be lucky three times;
 * a good one may be unlucky with the others.
 */
export function expectSeenInTime(tookMs: readonly number[]): void {
  const sorted = [...tookMs].sort((a, b) => a - b);
  expect(sorted[2], `the changes took ${tookMs.join(", ")} ms`).toBeLessThanOrEqual(seenWithinMs);
}
