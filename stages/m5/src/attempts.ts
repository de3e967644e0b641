// What attempts are made of: a request, who makes each attempt, how it all may end. The loop itself stands in
// `trim/attempt-course.ts`, and goes on by calls and not by promises: nearly every request has one attempt, which waits for
// nothing but its answer.

import type { AttemptResult } from "./attempt.ts";
import type { Clock } from "./clock.ts";
import type { ErrorCode } from "./errors.ts";
import type { FailoverReason } from "./failover.ts";
import type { Metrics } from "./metrics.ts";
import type { Resilience } from "./resilience.ts";
import type { Placement, RoutingTable } from "./routing-table.ts";
import { Course } from "./trim/attempt-course.ts";

export interface AttemptsDependencies {
  readonly resilience: Resilience;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Returns a number in [0, 1): spreads the delays of retries. */
  readonly random: () => number;
}

/** What the loop reads of a request, and what it notes on it for the answer and the log. */
export interface AttemptedRequest {
  readonly method: string;
  readonly hasBody: boolean;
  readonly startedAtMs: number;
  /** Whether a byte of a cell's answer, interim ones included, has gone to the client. */
  isAnswered(): boolean;
  /** Aborted when the client has left. Made when asked for: most requests never wait. */
  clientLeft(): AbortSignal;
  /** Who serves, once chosen: the placement routed to, or one that stands in. */
  target?: Placement;
  failover?: { readonly from: string; readonly reason: FailoverReason } | undefined;
  retries: number;
}

/** Sends the request to `target`. `passesHead` is asked once, when the head of a final answer has come. */
export type Send = (target: Placement, passesHead: (status: number) => boolean) => Promise<AttemptResult>;

/** Whose attempts these are: makes each of them, and hears how it all ended. */
export interface Attempter {
  /** Sends the request to the target, asks `passesHead`, and tells `ended`: maybe before it returns. */
  send(): void;
  /** The last call. */
  onEnd(ended: AttemptsResult): void;
  /** The last call: something threw after a wait, when nobody was there to catch it. */
  onThrow(error: unknown): void;
}

export type AttemptsResult =
  | { readonly kind: "attempted"; readonly result: AttemptResult }
  /** Nobody takes the request. Isolation comes before availability, so nobody outside the chain is asked. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly retryAfterMs: number | undefined };

export class Attempts {
  readonly #deps: AttemptsDependencies;

  constructor(dependencies: AttemptsDependencies) {
    this.#deps = dependencies;
  }

  /**
   * The attempts of one request. `next` begins; they end when an answer has been passed on, the client has left, or nothing
   * more may be tried. Whoever catches what one of the calls throws calls `abandon`.
   */
  of(request: AttemptedRequest, table: RoutingTable, origin: Placement, attempter: Attempter): Course {
    return new Course(this.#deps, request, table, origin, attempter);
  }

  /** All of it, for a caller that sends with a promise. */
  run(
    request: AttemptedRequest,
    table: RoutingTable,
    origin: Placement,
    send: Send,
  ): Promise<AttemptsResult> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        reject(error);
        course.abandon();
      };
      const course = this.of(request, table, origin, {
        send: () =>
          void send(course.target, (status) => course.passesHead(status))
            .then((result) => course.ended(result))
            .catch(fail),
        onEnd: resolve,
        onThrow: fail,
      });
      course.next();
    });
  }
}
