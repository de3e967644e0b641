// The loop around attempts: who serves now, how it went, whether another attempt follows. Sending is an argument, so the
// loop knows nothing of sockets; the rules stand in the modules that it calls. It goes on by calls and not by promises:
// nearly every request has one attempt, which waits for nothing but its answer.
// choose target → attempt → record → maybe retry

import type { AttemptResult } from "./attempt.ts";
import type { AttemptOutcome } from "./circuit-breaker.ts";
import type { Clock } from "./clock.ts";
import { type ErrorCode, problemOf } from "./errors.ts";
import type { FailoverReason, Refusal, TargetChoice } from "./failover.ts";
import type { Metrics } from "./metrics.ts";
import type { Admission, Resilience } from "./resilience.ts";
import { type AttemptFailure, isFailureStatus, mayRetry, type RetryDecision } from "./retry-policy.ts";
import type { Placement, RoutingTable } from "./routing-table.ts";

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
  /** Sends the request to `course.target`, asks `course.passesHead`, and tells `course.ended`: maybe before it returns. */
  send(course: Course): void;
  /** The last call. */
  onEnd(ended: AttemptsResult): void;
  /** The last call: something threw, and everything that was taken has been given back. */
  onFault(error: unknown): void;
}

export type AttemptsResult =
  | { readonly kind: "attempted"; readonly result: AttemptResult }
  /** Nobody takes the request. Isolation comes before availability, so nobody outside the chain is asked. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly retryAfterMs: number | undefined };

type FailedAttempt = AttemptResult & { readonly kind: "failed" };

/** From a request's arrival: after this, no further attempt starts. */
const retryDeadlineMs = 10_000;

const noRetry: RetryDecision = { retry: false, why: "not-configured" };

export class Attempts {
  readonly #deps: AttemptsDependencies;

  constructor(dependencies: AttemptsDependencies) {
    this.#deps = dependencies;
  }

  /** Attempts until an answer has been passed on, the client has left, or nothing more may be tried. */
  start(request: AttemptedRequest, table: RoutingTable, origin: Placement, attempter: Attempter): void {
    new Course(this.#deps, request, table, origin, attempter).next();
  }

  /** `start` for a caller that sends with a promise. */
  run(
    request: AttemptedRequest,
    table: RoutingTable,
    origin: Placement,
    send: Send,
  ): Promise<AttemptsResult> {
    return new Promise((resolve, reject) => {
      this.start(request, table, origin, {
        send: (course) =>
          void send(course.target, (status) => course.passesHead(status)).then(
            (result) => course.ended(result),
            (error: unknown) => course.fail(error),
          ),
        onEnd: resolve,
        onFault: reject,
      });
    });
  }
}

const nobody: ReadonlyMap<string, Refusal> = new Map();

/** The way of one request through its attempts, of which one is under way at a time. */
export class Course {
  readonly #deps: AttemptsDependencies;
  readonly #request: AttemptedRequest;
  readonly #table: RoutingTable;
  readonly #attempter: Attempter;
  readonly #origin: Placement;
  /** Placements without a connection: nothing was sent, so the next of the chain may serve, whatever the method. */
  #unreachable: Map<string, Refusal> | undefined;
  #failure: FailedAttempt | undefined;
  /** A retry has been paid and waited for, and is yet to be made. */
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
    origin: Placement,
    attempter: Attempter,
  ) {
    this.#deps = dependencies;
    this.#request = request;
    this.#table = table;
    this.#origin = origin;
    this.#target = origin;
    this.#attempter = attempter;
  }

  /** Where the attempt under way goes. */
  get target(): Placement {
    return this.#target;
  }

  // #region attempts
  /** Chooses who serves, and attempts there. */
  next(): void {
    try {
      const { resilience, clock } = this.#deps;
      const { choice, admission } = resilience.admit(
        this.#table,
        this.#origin,
        this.#unreachable ?? nobody,
        clock.now(),
      );
      if (choice.kind === "none") return this.#onNobody(choice);
      this.#target = choice.target;
      this.#admission = admission;
      this.#recorded = false;
      this.#retry = noRetry;
      note(this.#request, this.#origin, choice);
      this.#account();
      this.#attempter.send(this);
    } catch (error) {
      this.fail(error);
    }
  }

  #onNobody(choice: TargetChoice<Placement> & { kind: "none" }): void {
    const failure = this.#failure;
    if (failure === undefined) return this.#attempter.onEnd(refused(this.#request, this.#origin, choice));
    const retry = this.#isRetryDue ? noRetry : this.#mayRetry(this.#origin, failure);
    if (!retry.retry) return this.#attempter.onEnd({ kind: "attempted", result: failure });
    this.#unreachable?.clear();
    void this.#retryIn(retry.delayMs);
  }

  /** False when the attempt's answer is withheld, for the retry that follows. */
  passesHead(status: number): boolean {
    // Recorded with the head, not the end: a long stream must not keep a half-open breaker waiting.
    const failed = isFailureStatus(status);
    this.#record(failed ? "failure" : "success");
    if (failed) this.#retry = this.#mayRetry(this.#target, "failure-status");
    return !this.#retry.retry;
  }

  /** The attempt has ended, and with it maybe the request. */
  ended(result: AttemptResult): void {
    const target = this.#target;
    if (result.kind === "failed" && !result.headSent && !isClientFault(result.code)) {
      this.#record("failure");
      // Where no connection came about, the chain is asked first: that costs this cell nothing.
      if (!isUnreachable(result)) this.#retry = this.#mayRetry(target, result);
    }
    this.#release();
    const retry = this.#retry;
    if (retry.retry) {
      this.#failure = undefined;
      void this.#retryIn(retry.delayMs);
    } else if (isUnreachable(result)) {
      this.#failure = result;
      this.#unreachable ??= new Map();
      this.#unreachable.set(target.name, { reason: "connect-failed" });
      this.next();
    } else {
      this.#attempter.onEnd({ kind: "attempted", result });
    }
  }
  // #endregion attempts

  /** The attempt could not be made, for a reason of this router's own. */
  fail(error: unknown): void {
    this.#release();
    this.#attempter.onFault(error);
  }

  // #region record
  #record(outcome: AttemptOutcome): void {
    if (this.#recorded) return;
    this.#recorded = true;
    this.#admission?.record(outcome, this.#deps.clock.now());
    this.#deps.metrics.attemptEnded(this.#target.name, outcome);
  }

  /** Gives everything back that the attempt took. */
  #release(): void {
    const admission = this.#admission;
    if (admission === undefined) return;
    // What the client broke says nothing about the cell.
    this.#record("abandoned");
    this.#admission = undefined;
    admission.end(this.#deps.clock.now());
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
  #account(): void {
    const { resilience, metrics, clock } = this.#deps;
    const request = this.#request;
    if (this.#isRetryDue) {
      request.retries += 1;
      metrics.retried(this.#target.name);
    } else if (request.retries === 0) {
      resilience.guard(this.#target).budget.deposit(clock.now());
    }
    this.#isRetryDue = false;
  }

  async #retryIn(delayMs: number): Promise<void> {
    const left = this.#request.clientLeft();
    try {
      await this.#deps.clock.sleep(delayMs, left);
    } catch (error) {
      // Nobody waits for another attempt.
      if (left.aborted) this.#attempter.onEnd(clientAborted);
      else this.fail(error);
      return;
    }
    this.#isRetryDue = true;
    this.next();
  }
}

const clientAborted: AttemptsResult = { kind: "attempted", result: { kind: "client-aborted" } };

type Chosen = Exclude<TargetChoice<Placement>, { kind: "none" }>;

/** Notes who serves, and in whose stead. */
function note(request: AttemptedRequest, origin: Placement, choice: Chosen): void {
  request.target = choice.target;
  request.failover = choice.kind === "fallback" ? { from: origin.name, reason: choice.reason } : undefined;
}

/** Whether the client, not the cell, broke the exchange. */
export function isClientFault(code: ErrorCode): boolean {
  return problemOf(code).status < 500;
}

/** No connection came about, so nothing of the request can have reached the cell. */
function isUnreachable(result: AttemptResult): result is FailedAttempt {
  return result.kind === "failed" && !result.sent && !isClientFault(result.code);
}

function failureOf({ code, sent }: FailedAttempt): AttemptFailure {
  if (isClientFault(code)) return "client-aborted";
  if (!sent) return "connect-failed";
  return code === "head-timeout" ? "timed-out" : "connection-broken";
}

function refused(
  request: AttemptedRequest,
  origin: Placement,
  { reason, retryAfterMs }: TargetChoice<Placement> & { kind: "none" },
): AttemptsResult {
  // Nobody serves, whoever was asked before: the answer is about the placement that was routed to.
  request.target = origin;
  request.failover = undefined;
  const code = reason === "connect-failed" ? "upstream-unreachable" : reason;
  return { kind: "refused", code, retryAfterMs };
}
