// Decides whether a failed attempt may be made again, and after which delay. Where the next attempt goes is decided by
// `failover.ts`; what the attempts cost together is bounded by `retry-budget.ts`.

import { nextDelayMs } from "./backoff.ts";
import type { RetrySettings } from "./resilience-settings.ts";

/** How an attempt failed. */
export type AttemptFailure =
  /** No connection was made, so nothing of the request can have reached the cell. */
  | "connect-failed"
  /** The connection ended before the response's head was complete. */
  | "connection-broken"
  /** No response's head within the time limit. */
  | "timed-out"
  /** The cell responded with one of `isFailureStatus`. */
  | "failure-status"
  /** The client left. Nobody waits for a response any more. */
  | "client-aborted";

/** All that the decision depends on. */
export interface FailedAttempt {
  readonly method: string;
  readonly hasBody: boolean;
  readonly failure: AttemptFailure;
  /** A byte of the request may have reached the cell. When in doubt, true. */
  readonly sent: boolean;
  /** A byte of a response, interim or final, has gone to the client. */
  readonly responseStarted: boolean;
  /** Retries made before this attempt: 0 when it was the first one. */
  readonly attempt: number;
  /** Milliseconds since the request arrived. */
  readonly elapsedMs: number;
  /** Milliseconds from the request's arrival until no further attempt may start. */
  readonly deadlineMs: number;
}

export type RetryRefusal =
  | "not-configured"
  | "client-aborted"
  | "response-started"
  | "not-repeatable"
  | "retries-used-up"
  | "deadline"
  | "budget-exhausted";

export type RetryDecision =
  | { readonly retry: true; readonly delayMs: number }
  | { readonly retry: false; readonly why: RetryRefusal };

/**
 * Methods whose effect is the same when the cell gets the request twice.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
 */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Statuses by which a cell, or a proxy in front of it, says that it could not serve: 502, 503 and 504. */
export function isFailureStatus(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

// #region may-retry
/**
 * Whether to make a failed attempt again. The budget is asked last, and pays only for a retry that will be made.
 *
 * @param settings Of the placement; undefined switches retries off.
 * @param random   Returns a number in [0, 1).
 */
export function mayRetry(
  failed: FailedAttempt,
  settings: RetrySettings | undefined,
  budget: { tryWithdraw(): boolean },
  random: () => number,
): RetryDecision {
  if (settings === undefined) return refusal("not-configured");
  if (failed.failure === "client-aborted") return refusal("client-aborted");
  // The client already holds the beginning of one response; a second one cannot be stitched to it.
  if (failed.responseStarted) return refusal("response-started");
  if (!isRepeatable(failed)) return refusal("not-repeatable");
  if (failed.attempt >= settings.maxRetries) return refusal("retries-used-up");
  const delayMs = nextDelayMs(failed.attempt, random, settings);
  if (failed.elapsedMs + delayMs >= failed.deadlineMs) return refusal("deadline");
  if (!budget.tryWithdraw()) return refusal("budget-exhausted");
  return { retry: true, delayMs };
}

/** A cell may have acted on all that was sent to it, whether it responded or not: a second POST may charge twice. */
function isRepeatable({ method, hasBody, failure, sent }: FailedAttempt): boolean {
  if (failure === "connect-failed" && !sent) return true;
  // A body is streamed and not kept: what was sent of it is gone.
  return !hasBody && idempotentMethods.has(method);
}
// #endregion may-retry

function refusal(why: RetryRefusal): RetryDecision {
  return { retry: false, why };
}
