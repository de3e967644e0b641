// The only place, besides `main.ts`, where this router asks the machine for the time or for chance.
// Everything else takes them as arguments, so that a test decides what time it is.

import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start: for durations, never for dates. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with an `AbortError` as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  },
};
