// One request through the router: check it, read one snapshot, decide, attempt, log. The order of the steps stands
// here and nowhere else; each step's rules live in the module that it calls.
// route → rate limit → concurrency limit → attempts (choose target → attempt → record → maybe retry) → log

import type { AccessLog, Outcome } from "./access-log.ts";
import { type AttemptDriver, type AttemptResult, type AttemptsResult, isStale } from "./attempt.ts";
import { isCellFailure, isClientFailure } from "./attempt-failure.ts";
import type { Attempts } from "./attempts.ts";
import type { Clock } from "./clock.ts";
import type { Permit } from "./concurrency-limit.ts";
import type { DateLine } from "./date-line.ts";
import { type ErrorCode, problemOf } from "./errors.ts";
import { upstreamLines } from "./headers.ts";
import { Field } from "./http1/field-names.ts";
import type { Refusal } from "./http1/refusal.ts";
import type { ResponseHead } from "./http1/response-head.ts";
import { optionsResponse, problemResponse } from "./own-responses.ts";
import { RequestNotes } from "./request-notes.ts";
import type { Resilience } from "./resilience.ts";
import { route } from "./routing.ts";
import { readRoutingKey } from "./routing-key.ts";
import type { ConnectionPool } from "./sockets/connection-pool.ts";
import type { FaultReport } from "./sockets/fault-report.ts";
import type { OwnedExchange, RequestHandler, RequestOwner } from "./sockets/request-owner.ts";
import type { TableStore } from "./table-store.ts";
import type { AttemptLoop } from "./trim/attempt-loop.ts";
import type { PrerenderedCache } from "./trim/prerendered-headers.ts";

export interface ProxyDependencies {
  readonly store: TableStore;
  readonly pool: ConnectionPool;
  readonly resilience: Resilience;
  readonly attempts: Attempts;
  readonly accessLog: AccessLog;
  readonly prerendered: PrerenderedCache;
  readonly dateLine: DateLine;
  readonly clock: Clock;
  readonly report: FaultReport;
  /** Makes an id for a request that brought none. */
  readonly newRequestId: () => string;
}

/** How often a request may be repeated because the cell had closed its connection while that was idle. */
const maxStaleConnections = 2;

export class ProxyHandler implements RequestHandler {
  readonly report: FaultReport;
  readonly #deps: ProxyDependencies;

  constructor(dependencies: ProxyDependencies) {
    this.#deps = dependencies;
    this.report = dependencies.report;
  }

  onRequest(exchange: OwnedExchange): RequestOwner {
    return new ProxiedRequest(this.#deps, exchange);
  }

  onThrow(exchange: OwnedExchange, error: unknown): void {
    this.report(error);
    exchange.respond(problemResponse("router-fault", "none", "", 0));
  }
}

/** One request on its way. */
class ProxiedRequest implements RequestOwner, AttemptDriver {
  readonly #deps: ProxyDependencies;
  readonly #exchange: OwnedExchange;
  readonly #notes: RequestNotes;
  #rawRoutingKey = "";
  #permit: Permit | undefined;
  /** The router's own lines towards a cell: the same for every attempt. */
  #lines: string | undefined;
  #loop: AttemptLoop | undefined;
  #staleConnections = 0;
  #isLogged = false;

  constructor(dependencies: ProxyDependencies, exchange: OwnedExchange) {
    this.#deps = dependencies;
    this.#exchange = exchange;
    this.#notes = new RequestNotes(exchange, dependencies.clock.now(), dependencies);
  }

  // #region serve
  serve(): void {
    const notes = this.#notes;
    const { head } = this.#exchange.request;
    const key = readRoutingKey(head);
    if (!key.ok) return this.#refuse(key.code);
    notes.routingKey = key.routingKey;
    this.#rawRoutingKey = key.rawRoutingKey;

    // One read: a swap mid-request must not let one request see two tables.
    const snapshot = this.#deps.store.current();
    if (snapshot === undefined) return this.#refuse("no-routing-table");
    const decision = route(snapshot.table, key.routingKey);
    notes.decision = decision;
    if (head.maxForwards === 0) return this.#respondAsLast();

    const { resilience, attempts } = this.#deps;
    const taken = resilience.tryTake(key.routingKey, decision.placement, notes.startedAtMs);
    if (!taken.ok) return this.#refuse("rate-limited", undefined, taken.retryAfterMs);
    // Held until the request has ended, whoever serves it: so this limit also bounds what spills over to others.
    this.#permit = resilience.guard(decision.placement).limit.tryAcquire();
    if (this.#permit === undefined) return this.#refuse("overloaded");
    this.#loop = attempts.of(notes, snapshot.table, decision.placement, this);
    this.#loop.next();
  }

  onEnd(ended: AttemptsResult): void {
    this.#permit?.release();
    if (ended.kind === "attempted") this.#finish(ended.result);
    else this.#refuse(ended.code, undefined, ended.retryAfterMs);
  }
  // #endregion serve

  refuse({ code }: Refusal): void {
    this.#refuse(code);
  }

  send(): void {
    const { head, clientAddress } = this.#exchange.request;
    const { requestId } = this.#notes;
    const rawRoutingKey = this.#rawRoutingKey;
    this.#lines ??= upstreamLines(head, { clientAddress, requestId, rawRoutingKey });
    this.#staleConnections = 0;
    this.#attempt();
  }

  #attempt(): void {
    const target = this.#loop?.target;
    if (target !== undefined) this.#exchange.attempt(this.#deps.pool.endpoint(target.url), this.#lines ?? "");
  }

  onResponse(head: ResponseHead): string | undefined {
    if (this.#loop?.shouldForward(head.status) !== true) return undefined;
    const lines = this.#notes.responseLines;
    return head.fields.has(Field.date) ? lines : lines + this.#deps.dateLine.text();
  }

  onAttemptEnd(result: AttemptResult): void {
    const mayRepeat = this.#exchange.isReplayable && this.#staleConnections < maxStaleConnections;
    if (!mayRepeat || !isStale(result, this.#notes.method)) return this.#loop?.ended(result);
    this.#staleConnections += 1;
    this.#attempt();
  }

  onClientGone(): void {
    this.#notes.noteClientGone();
  }

  #finish(result: AttemptResult): void {
    switch (result.kind) {
      case "complete":
        return this.#log("complete");
      case "client-aborted":
        return this.#log("client-aborted");
      case "discarded":
        // A response is only discarded for a retry, and then the retry's result replaces it.
        throw new Error(`A response with status ${result.status} was discarded and nothing followed.`);
      case "failed": {
        const { headSent, code, cause } = result;
        if (!headSent) return this.#refuse(code, cause);
        return this.#log(isClientFailure(code) ? "client-aborted" : "upstream-failed", code, cause);
      }
      default:
        result satisfies never;
    }
  }

  /** Responds in the router's own name. */
  #refuse(code: ErrorCode, cause?: string, retryAfterMs = 1000): void {
    const { requestId, responseLines } = this.#notes;
    const lines = this.#deps.dateLine.text() + responseLines;
    this.#exchange.respond(problemResponse(code, requestId, lines, retryAfterMs));
    // With a cause it was a cell's failure; without one, the router's own decision.
    const failed = cause !== undefined && problemOf(code).status >= 502 && isCellFailure(code);
    this.#log(failed ? "upstream-failed" : "complete", code, cause);
  }

  #respondAsLast(): void {
    this.#exchange.respond(optionsResponse(this.#deps.dateLine.text() + this.#notes.responseLines));
    this.#log("complete");
  }

  /** After a wait, when nobody else was there to catch it. */
  onThrow(error: unknown): void {
    this.#exchange.contain(error);
  }

  /**
   * A fault of the router itself, wherever on this request's way it was thrown. Everything is given back; the client must
   * not wait for it, and the log must show it.
   */
  endByThrow(error: unknown): void {
    this.#permit?.release();
    try {
      this.#loop?.abandon();
    } finally {
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const { response, isGone } = this.#exchange;
      if (this.#isLogged) this.#deps.report(error);
      else if (response.status === 0 && !isGone) this.#refuse("router-fault", cause);
      else this.#log("complete", "router-fault", cause);
    }
  }

  #log(outcome: Outcome, code?: string, cause?: string): void {
    this.#isLogged = true;
    const { accessLog, clock } = this.#deps;
    accessLog.record(this.#notes.entry(clock.now(), outcome, code, cause));
  }
}
