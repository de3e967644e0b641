// Finds a half-open link: one whose other end is gone while its connection looks alive, because nothing on the way
// reported it. TCP alone would wait for many minutes. Both ends of a link run this; it closes nothing by itself.

import type { Clock } from "../../../../stages/m3/src/clock.ts";

export interface LivenessLimits {
  /** Time between two pings, in milliseconds. */
  readonly pingEveryMs: number;
  /** Time without any sign of life after which the link counts as dead, in milliseconds. */
  readonly deadAfterMs: number;
}

/** A dead link is found within `pingEveryMs + deadAfterMs`, 9 s, and its `graceMs`. */
export const defaultLivenessLimits: LivenessLimits = { pingEveryMs: 3_000, deadAfterMs: 6_000 };

/** What there is to see of a link. */
export interface WatchedLink {
  /** Bytes that came from the other end so far. It answers each ping, so on a live link they grow. */
  bytesReceived(): number;
  /** Extra time for an end that still has much to read, and cannot answer a ping before, in milliseconds. */
  graceMs(): number;
  ping(): void;
}

// #region liveness
/** Resolves with true when the link is dead, and with false when `signal` aborts before that. */
export async function untilDead(
  link: WatchedLink,
  clock: Clock,
  { pingEveryMs, deadAfterMs }: LivenessLimits,
  signal: AbortSignal,
): Promise<boolean> {
  let known = link.bytesReceived();
  let deadlineMs = clock.now() + deadAfterMs;
  for (;;) {
    link.ping();
    const dueMs = clock.now() + pingEveryMs;
    const stopped = await clock.sleep(pingEveryMs, signal).then(
      () => false,
      () => true,
    );
    if (stopped) return false;
    const nowMs = clock.now();
    const bytes = link.bytesReceived();
    if (bytes > known || nowMs - dueMs > 1_000) deadlineMs = nowMs + deadAfterMs;
    else if (nowMs >= deadlineMs + link.graceMs()) return true;
    known = bytes;
  }
}
// #endregion liveness
