// The way of one request through its attempts: who serves now, how it went, whether another attempt follows. Sending is an
// argument, so nothing here knows of sockets; the rules stand in the modules that it calls.
// choose target → attempt → record → maybe retry

import type {
  AttemptDriver,
  AttemptedRequest,
  AttemptResult,
  AttemptsDependencies,
  AttemptsResult,
} from "../attempt.ts";
import { type FailedAttempt, failureOf, isCellFailure, isUnreachable } from "../attempt-failure.ts";
import type { AttemptOutcome } from "../circuit-breaker.ts";
import type { Refusal, TargetChoice } from "../failover.ts";
import type { Admission } from "../resilience.ts";
import { isFailureStatus, mayRetry, type RetryDecision } from "../retry-policy.ts";
import type { Placement, RoutingTable } from "../routing-table.ts";

/** From a request's arrival: after this, no further attempt starts. */
const retryDeadlineMs = 10_000;

const noRetry: RetryDecision = { retry: false, why: "not-configured" };

const nobody: ReadonlyMap<string, Refusal> = new Map();

/** The way of one request through its attempts, of which one is under way at a time. */
export class AttemptLoop {
  readonly #deps: AttemptsDependencies;
  readonly #request: AttemptedRequest;
  readonly #table: RoutingTable;
  readonly #driver: AttemptDriver;
  readonly #primary: Placement;
  /** Placements without a connection: nothing was sent, so the next of the chain may serve, whatever the method. */
  #unreachable: Map<string, Refusal> | undefined;
  #failure: FailedAttempt | undefined;
  /** A retry has been paid for and its delay is over; it has yet to be made. */
  #isRetryDue = false;
  #target: Placement;
  #admission: Admission | undefined;
  #recorded = false;
  /** What follows the attempt under way. */
  #retry: RetryDecision = noRetry;

  constructor(
    dependencies: AttemptsDependencies,
    request: AttemptedRequest,
    table: RoutingTable,
    primary: Placement,
    driver: AttemptDriver,
  ) {
    this.#deps = dependencies;
    this.#request = request;
    this.#table = table;
    this.#primary = primary;
    this.#target = primary;
    this.#driver = driver;
  }

  /** Where the attempt under way goes. */
  get target(): Placement {
    return this.#target;
  }

  // #region attempts
  /** Chooses who serves, and attempts there. */
  next(): void {
    const { resilience, clock } = this.#deps;
    const nowMs = clock.now();
    const { choice, admission } = resilience.admit(
      this.#table,
      this.#primary,
      this.#unreachable ?? nobody,
      nowMs,
    );
    if (choice.kind === "none") return this.#onNobody(choice);
    this.#target = choice.target;
    this.#admission = admission;
    this.#recorded = false;
    this.#retry = noRetry;
    this.#request.target = choice.target;
    this.#request.failover =
      choice.kind === "fallback" ? { from: this.#primary.name, reason: choice.reason } : undefined;
    this.#account(nowMs);
    this.#driver.send();
  }

  #onNobody(choice: TargetChoice<Placement> & { kind: "none" }): void {
    const failure = this.#failure;
    if (failure === undefined) return this.#driver.onEnd(refused(this.#request, this.#primary, choice));
    const retry = this.#isRetryDue ? noRetry : this.#mayRetry(this.#primary, failure);
    if (!retry.retry) return this.#driver.onEnd({ kind: "attempted", result: failure });
    this.#unreachable?.clear();
    this.#retryIn(retry.delayMs);
  }

  /** False when the attempt's response is discarded, for the retry that follows. */
  shouldForward(status: number): boolean {
    // Recorded with the head, not the end: a long stream must not keep a half-open breaker waiting.
    const failed = isFailureStatus(status);
    this.#record(failed ? "failure" : "success", this.#deps.clock.now());
    if (failed) this.#retry = this.#mayRetry(this.#target, "failure-status");
    return !this.#retry.retry;
  }

  /** The attempt has ended, and with it maybe the request. */
  ended(result: AttemptResult): void {
    const target = this.#target;
    if (result.kind === "failed" && !result.headSent && isCellFailure(result.code)) {
      this.#record("failure", this.#deps.clock.now());
      // If no connection was made, the chain is asked first: that costs this cell nothing.
      if (!isUnreachable(result)) this.#retry = this.#mayRetry(target, result);
    }
    this.#release();
    const retry = this.#retry;
    if (retry.retry) {
      this.#failure = undefined;
      this.#retryIn(retry.delayMs);
    } else if (isUnreachable(result)) {
      this.#failure = result;
      this.#unreachable ??= new Map();
      this.#unreachable.set(target.name, { reason: "connect-failed" });
      this.next();
    } else {
      this.#driver.onEnd({ kind: "attempted", result });
    }
  }
  // #endregion attempts

  /** Something threw: gives back what the attempt under way took, if anything. Says nothing to the driver. */
  abandon(): void {
    this.#release();
  }

  // #region record
  #record(outcome: AttemptOutcome, nowMs: number): void {
    if (this.#recorded) return;
    this.#recorded = true;
    this.#admission?.record(outcome, nowMs);
    this.#deps.metrics.attemptEnded(this.#target.name, outcome);
  }

  /** Gives everything back that the attempt took. */
  #release(): void {
    const admission = this.#admission;
    if (admission === undefined) return;
    const nowMs = this.#deps.clock.now();
    try {
      // A failure of the client or of this router says nothing about the cell.
      this.#record("abandoned", nowMs);
    } finally {
      this.#admission = undefined;
      admission.end(nowMs);
    }
  }
  // #endregion record

  #mayRetry(target: Placement, failed: FailedAttempt | "failure-status"): RetryDecision {
    const { resilience, clock, random } = this.#deps;
    const request = this.#request;
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
  #account(nowMs: number): void {
    const { resilience, metrics } = this.#deps;
    const request = this.#request;
    if (this.#isRetryDue) {
      request.retries += 1;
      metrics.retried(this.#target.name);
    } else if (request.retries === 0) {
      resilience.guard(this.#target).budget.deposit(nowMs);
    }
    this.#isRetryDue = false;
  }

  #retryIn(delayMs: number): void {
    const left = this.#request.clientLeft();
    const retry = (): void => {
      this.#isRetryDue = true;
      this.next();
    };
    const giveUp = (error: unknown): void => {
      // Nobody waits for another attempt.
      if (left.aborted) this.#driver.onEnd(clientAborted);
      else throw error;
    };
    this.#deps.clock
      .sleep(delayMs, left)
      .then(retry, giveUp)
      .catch((error: unknown) => this.#driver.onThrow(error));
  }
}

const clientAborted: AttemptsResult = { kind: "attempted", result: { kind: "client-aborted" } };

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
