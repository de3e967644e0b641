// Waits for a condition of another process, which can only be asked.

import type { Clock } from "../../../stages/m4/src/clock.ts";

const everyMs = 5;

/** Asks until `condition` holds; an error is a no. @throws Error with `what` after `deadlineMs` */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs: number,
  clock: Clock,
): Promise<void> {
  const endMs = clock.now() + deadlineMs;
  for (;;) {
    // A socket that is not there yet, or a master that is just being replaced.
    if (await Promise.resolve(condition()).catch(() => false)) return;
    if (clock.now() >= endMs) throw new Error(`Not within ${deadlineMs} ms: ${what}`);
    await clock.sleep(everyMs);
  }
}
