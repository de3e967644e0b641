// The agent's look at its HAProxy, again and again: does it live, and does it hold what the table says?

import type { Logger } from "pino";
import { nextDelayMs } from "../../../stages/m4/src/backoff.ts";
import type { Clock } from "../../../stages/m4/src/clock.ts";

export interface WatchDependencies {
  /** Starts HAProxy where it has died. */
  readonly revive: () => Promise<void>;
  /** Compares HAProxy with the table, and mends it. */
  readonly compare: () => Promise<void>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

const aliveEveryMs = 250;
const compareEveryMs = 1_000;
/** Reading a large map takes time, in HAProxy too: at most this share of it. */
const compareShare = 0.05;
const troubleBackoff = { baseMs: 100, capMs: 5_000 };

/** Looks until `signal` aborts. Never rejects. */
export async function watch(dependencies: WatchDependencies, signal: AbortSignal): Promise<void> {
  const { revive, compare, clock, random, logger } = dependencies;
  let failures = 0;
  let nextCompareMs = 0;
  while (!signal.aborted) {
    await clock.sleep(aliveEveryMs, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      await revive();
      if (clock.now() < nextCompareMs) continue;
      const startedAtMs = clock.now();
      await compare();
      failures = 0;
      const tookMs = clock.now() - startedAtMs;
      nextCompareMs = clock.now() + Math.max(compareEveryMs, tookMs / compareShare);
    } catch (error) {
      logger.error({
        event: "haproxy-trouble",
        cause: error instanceof Error ? error.message : String(error),
      });
      await clock.sleep(nextDelayMs(failures++, random, troubleBackoff), signal).catch(() => {});
    }
  }
}
