// Fails a test that leaves sockets, servers, child processes or timers behind. A leak in one test is a strange failure
// in a later one, and in a router it is a file descriptor that never comes back.

import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { eventually } from "./eventually.ts";

const watched = [
  "TCPSocketWrap",
  "TCPServerWrap",
  "PipeWrap",
  "ProcessWrap",
  "Timeout",
  "FSEventWrap",
  "StatWatcher",
];

/** How many resources of each watched kind keep this process alive. */
export function resourceCounts(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (watched.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** What there is more of than in `before`, in words; empty when nothing was left behind. */
export function leakedSince(before: ReadonlyMap<string, number>): string[] {
  return [...resourceCounts()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${count - (before.get(kind) ?? 0)} × ${kind}`);
}

/** Resolves once nothing is left that was not there `before`. @throws Error naming what is left after `deadlineMs` */
export async function expectNoLeaks(before: ReadonlyMap<string, number>, deadlineMs = 3000): Promise<void> {
  let left: string[] = [];
  try {
    // Closing takes a turn or two of the event loop, so the first look is not the verdict. The wait itself is a
    // timer, but only between two looks.
    await eventually(
      () => {
        left = leakedSince(before);
        return left.length === 0;
      },
      { what: "nothing left behind", deadlineMs },
    );
  } catch {
    throw new Error(`The test left behind: ${left.join(", ")}`);
  }
}

/**
 * Call it once at the top of a test file or a `describe`.
 *
 * @param per `test` looks after each test; `file` once at the end, for files whose tests run side by side.
 */
export function failOnLeaks(per: "test" | "file" = "test"): void {
  let before: ReadonlyMap<string, number> = new Map();
  const look = () => {
    before = resourceCounts();
  };
  if (per === "test") {
    beforeEach(look);
    afterEach(() => expectNoLeaks(before));
  } else {
    beforeAll(look);
    afterAll(() => expectNoLeaks(before));
  }
}
