// What the attempts of one request are made of: what is read of the request and noted on it, and how they may end. An attempt
// itself is made on raw sockets, in `sockets/attempt.ts`; the order of attempts stands in `attempts.ts`.

import type { Clock } from "./clock.ts";
import type { ErrorCode } from "./errors.ts";
import type { FailoverReason } from "./failover.ts";
import type { Metrics } from "./metrics.ts";
import type { Resilience } from "./resilience.ts";
import type { Placement } from "./routing-table.ts";
import type { AttemptResult } from "./sockets/request-owner.ts";

export type { AttemptResult } from "./sockets/request-owner.ts";

export interface AttemptsDependencies {
  readonly resilience: Resilience;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Returns a number in [0, 1): spreads the delays of retries. */
  readonly random: () => number;
}

/** What the loop reads of a request, and what it notes on it for the response and the log. */
export interface AttemptedRequest {
  readonly method: string;
  readonly hasBody: boolean;
  readonly startedAtMs: number;
  /** Whether a byte of a cell's response, interim or final, has gone to the client. */
  isAnswered(): boolean;
  /** Aborted when the client has left. Made when asked for: most requests never wait. */
  clientLeft(): AbortSignal;
  /** Who serves, once chosen: the placement routed to, or one that stands in. */
  target?: Placement;
  failover?: { readonly from: string; readonly reason: FailoverReason } | undefined;
  retries: number;
}

export type AttemptsResult =
  | { readonly kind: "attempted"; readonly result: AttemptResult }
  /** Nobody takes the request. Isolation comes before availability, so nobody outside the chain is asked. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly retryAfterMs: number | undefined };

/** Whose attempts these are: makes each of them, and hears how it all ended. */
export interface AttemptDriver {
  /** Sends the request to the target, asks `shouldForward`, and tells `ended`: maybe before it returns. */
  send(): void;
  /** The last call. */
  onEnd(ended: AttemptsResult): void;
  /** The last call: something threw after a wait, when nobody was there to catch it. */
  onThrow(error: unknown): void;
}

/** Methods whose effect is the same when the cell gets them twice. https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2 */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Whether a request may go out again because its connection turned out to be stale. */
export function isStale(result: AttemptResult, method: string): boolean {
  return result.kind === "failed" && result.staleConnection && idempotentMethods.has(method);
}
