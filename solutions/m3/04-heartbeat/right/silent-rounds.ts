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
  let silentRounds = 0;
  while (!signal.aborted) {
    const before = link.bytesReceived();
    const beganAtMs = clock.now();
    link.ping();
    await clock.sleep(pingEveryMs, signal).catch(() => {});
    if (signal.aborted) break;
    const stoodStill = clock.now() - beganAtMs >= pingEveryMs * 2;
    silentRounds = link.bytesReceived() > before || stoodStill ? 0 : silentRounds + 1;
    if (silentRounds > 0 && silentRounds * pingEveryMs >= deadAfterMs + link.graceMs()) return true;
  }
  return false;
}
// #endregion liveness
