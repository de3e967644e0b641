// The loop around attempts: who serves now, how it went, whether another attempt follows. Sending is an argument, so the
// loop knows nothing of sockets; the rules stand in the modules that it calls.
// choose target → attempt → record → maybe retry

import type { AttemptResult } from "./attempt.ts";
import { type FailedAttempt, failureOf, isCellFailure, isUnreachable } from "./attempt-failure.ts";
import type { AttemptOutcome } from "./circuit-breaker.ts";
import type { Clock } from "./clock.ts";
import type { ErrorCode } from "./errors.ts";
import type { FailoverReason, Refusal, TargetChoice } from "./failover.ts";
import type { Metrics } from "./metrics.ts";
import type { Admission, Resilience } from "./resilience.ts";
import { isFailureStatus, mayRetry, type RetryDecision } from "./retry-policy.ts";
import type { Placement, RoutingTable } from "./routing-table.ts";

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
  readonly isAnswered: () => boolean;
  /** Aborted when the client has left. Made when asked for: most requests never wait. */
  readonly clientLeft: () => AbortSignal;
  /** Who serves, once chosen: the placement routed to, or one that stands in. */
  target?: Placement;
  failover?: { readonly from: string; readonly reason: FailoverReason } | undefined;
  retries: number;
}

/** Sends the request to `target`. `shouldForward` is asked once, when the head of a final response has come. */
export type Send = (target: Placement, shouldForward: (status: number) => boolean) => Promise<AttemptResult>;

export type AttemptsResult =
  | { readonly kind: "attempted"; readonly result: AttemptResult }
  /** Nobody takes the request. Isolation comes before availability, so nobody outside the chain is asked. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly retryAfterMs: number | undefined };

/** From a request's arrival: after this, no further attempt starts. */
const retryDeadlineMs = 10_000;

const noRetry: RetryDecision = { retry: false, why: "not-configured" };

export class Attempts {
  readonly #deps: AttemptsDependencies;

  constructor(dependencies: AttemptsDependencies) {
    this.#deps = dependencies;
  }

  // #region attempts
  /** Attempts until a response has been passed on, the client has left, or nothing more may be tried. */
  async run(
    request: AttemptedRequest,
    table: RoutingTable,
    primary: Placement,
    send: Send,
  ): Promise<AttemptsResult> {
    const { resilience, clock } = this.#deps;
    /** Placements without a connection: nothing was sent, so the next of the chain may serve, whatever the method. */
    const unreachable = new Map<string, Refusal>();
    let failure: FailedAttempt | undefined;
    /** A retry has been paid for and its delay is over; it has yet to be made. */
    let isRetryDue = false;
    for (;;) {
      const { choice, admission } = resilience.admit(table, primary, unreachable, clock.now());
      if (choice.kind === "none") {
        if (failure === undefined) return refused(request, primary, choice);
        const retry = isRetryDue ? noRetry : this.#mayRetry(request, primary, failure);
        if (!retry.retry) return { kind: "attempted", result: failure };
        unreachable.clear();
        isRetryDue = await this.#wait(request, retry.delayMs);
        if (!isRetryDue) return clientAborted;
        continue;
      }
      note(request, primary, choice);
      const { result, retry } = await this.#attempt(request, choice.target, isRetryDue, admission, send);
      isRetryDue = false;
      if (retry.retry) {
        failure = undefined;
        isRetryDue = await this.#wait(request, retry.delayMs);
        if (!isRetryDue) return clientAborted;
      } else if (isUnreachable(result)) {
        failure = result;
        unreachable.set(choice.target.name, { reason: "connect-failed" });
      } else {
        return { kind: "attempted", result };
      }
    }
  }
  // #endregion attempts

  // #region record
  /** One attempt with its outcome recorded, and whether another one may follow at the same placement. */
  async #attempt(
    request: AttemptedRequest,
    target: Placement,
    isRetry: boolean,
    admission: Admission,
    send: Send,
  ): Promise<{ readonly result: AttemptResult; readonly retry: RetryDecision }> {
    const { clock, metrics } = this.#deps;
    let retry: RetryDecision = noRetry;
    let recorded = false;
    const record = (outcome: AttemptOutcome): void => {
      if (recorded) return;
      recorded = true;
      admission.record(outcome, clock.now());
      metrics.attemptEnded(target.name, outcome);
    };
    try {
      this.#account(request, target, isRetry);
      const result = await send(target, (status) => {
        // Recorded with the head, not the end: a long stream must not keep a half-open breaker waiting.
        const failed = isFailureStatus(status);
        record(failed ? "failure" : "success");
        if (failed) retry = this.#mayRetry(request, target, "failure-status");
        return !retry.retry;
      });
      if (result.kind === "failed" && !result.headSent && isCellFailure(result.code)) {
        record("failure");
        // If no connection was made, the chain is asked first: that costs this cell nothing.
        if (!isUnreachable(result)) retry = this.#mayRetry(request, target, result);
      }
      return { result, retry };
    } finally {
      try {
        // A failure of the client or of this router says nothing about the cell.
        record("abandoned");
      } finally {
        admission.end(clock.now());
      }
    }
  }
  // #endregion record

  #mayRetry(
    request: AttemptedRequest,
    target: Placement,
    failed: FailedAttempt | "failure-status",
  ): RetryDecision {
    const { resilience, clock, random } = this.#deps;
    const attempted = {
      method: request.method,
      hasBody: request.hasBody,
      failure: failed === "failure-status" ? failed : failureOf(failed),
      sent: failed === "failure-status" || failed.sent,
      responseStarted: request.isAnswered(),
      attempt: request.retries,
      elapsedMs: clock.now() - request.startedAtMs,
      deadlineMs: retryDeadlineMs,
    };
    return mayRetry(attempted, target.retries, resilience.guard(target).budget, random);
  }

  /** Pays one request in, once for each placement that it comes to, or counts a retry: a retry pays for nothing. */
  #account(request: AttemptedRequest, target: Placement, isRetry: boolean): void {
    const { resilience, metrics, clock } = this.#deps;
    if (isRetry) {
      request.retries += 1;
      metrics.retried(target.name);
    } else if (request.retries === 0) {
      resilience.guard(target).budget.deposit(clock.now());
    }
  }

  /** False when the client has left meanwhile: nobody waits for another attempt. */
  async #wait({ clientLeft }: AttemptedRequest, delayMs: number): Promise<boolean> {
    const left = clientLeft();
    try {
      await this.#deps.clock.sleep(delayMs, left);
      return true;
    } catch (error) {
      if (left.aborted) return false;
      throw error;
    }
  }
}

const clientAborted: AttemptsResult = { kind: "attempted", result: { kind: "client-aborted" } };

type Chosen = Exclude<TargetChoice<Placement>, { kind: "none" }>;

/** Notes who serves, and for whom. */
function note(request: AttemptedRequest, primary: Placement, choice: Chosen): void {
  request.target = choice.target;
  request.failover = choice.kind === "fallback" ? { from: primary.name, reason: choice.reason } : undefined;
}

function refused(
  request: AttemptedRequest,
  primary: Placement,
  { reason, retryAfterMs }: TargetChoice<Placement> & { kind: "none" },
): AttemptsResult {
  // Nobody serves, even if others were asked: the response is about the placement that was routed to.
  request.target = primary;
  request.failover = undefined;
  const code = reason === "connect-failed" ? "upstream-unreachable" : reason;
  return { kind: "refused", code, retryAfterMs };
}
