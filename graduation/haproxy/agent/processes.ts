// What can be known of other processes: whether they live, and a condition of theirs, which can only be asked for.

import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
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

/** Whether a child has ended, or never began. */
export function hasEnded({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

/** Whether a process lives that is no child of this one. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // One that has ended, and that nobody has collected yet, still has its number.
  const status = `/proc/${pid}/status`;
  return !existsSync(status) || !/^State:\s+Z/m.test(readFileSync(status, "utf8"));
}
