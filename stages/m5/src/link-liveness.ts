// Finds a half-open link: one whose other end is gone while its connection looks alive, because nothing on the way
// reported it. TCP alone would wait for many minutes. Both ends of a link run this; it closes nothing by itself.

import type { Clock } from "./clock.ts";

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
  let received = link.bytesReceived();
  let aliveAtMs = clock.now();
  for (;;) {
    link.ping();
    const wakeAtMs = clock.now() + pingEveryMs;
    try {
      await clock.sleep(pingEveryMs, signal);
    } catch {
      return false;
    }
    const nowMs = clock.now();
    // A process that was paused itself has not looked at its sockets: it must not blame the other end.
    const overslept = nowMs - wakeAtMs > pingEveryMs / 2;
    if (link.bytesReceived() !== received || overslept) aliveAtMs = nowMs;
    else if (nowMs - aliveAtMs >= deadAfterMs + link.graceMs()) return true;
    received = link.bytesReceived();
  }
}
// #endregion liveness
