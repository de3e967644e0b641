// One request through the router: check it, read one snapshot, decide, attempt, log. The order of the steps stands
// here and nowhere else; each step's rules live in the module that it calls.
// route → rate limit → concurrency limit → attempts (choose target → attempt → record → maybe retry) → log

import type { AccessLog, Outcome } from "./access-log.ts";
import type { AttemptResult } from "./attempt.ts";
import { type AttemptedRequest, type Attempts, isClientFault } from "./attempts.ts";
import type { Clock } from "./clock.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { DecisionTextCache } from "./decision-texts.ts";
import { type ErrorCode, problemBody, problemOf } from "./errors.ts";
import { routingLines, upstreamLines } from "./headers.ts";
import type { Exchange } from "./http1/exchange.ts";
import type { ExchangeHandler } from "./http1/exchange-handler.ts";
import { Field } from "./http1/field-names.ts";
import type { FieldSection } from "./http1/field-section.ts";
import type { Refusal } from "./http1/refusal.ts";
import type { ResponseHead } from "./http1/response-head.ts";
import { readRoutingKey } from "./request-head.ts";
import type { Resilience } from "./resilience.ts";
import { type RouteDecision, route } from "./routing.ts";
import type { Placement } from "./routing-table.ts";
import type { TableStore } from "./table-store.ts";

export interface ProxyDependencies {
  readonly store: TableStore;
  readonly pool: ConnectionPool;
  readonly resilience: Resilience;
  readonly attempts: Attempts;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  /** Makes an id for a request that brought none. */
  readonly newRequestId: () => string;
}

/** Attempts that a request may use up on connections that the cell had closed while they were idle. */
const maxStaleConnections = 2;

/**
 * Everything that one request gathers on its way. It outlives the exchange, which is used again for the next request
 * of the connection as soon as this one's answer is out.
 */
interface RequestState {
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly method: string;
  readonly path: string;
  routingKey?: string;
  decision?: RouteDecision;
  attempted?: AttemptedRequest;
  /** The attempt under way. */
  attempt?: PendingAttempt;
  status: number;
  bytesIn: number;
  bytesOut: number;
}

interface PendingAttempt {
  readonly target: Placement;
  readonly lines: string;
  readonly passesHead: (status: number) => boolean;
  readonly settle: (result: AttemptResult) => void;
  staleConnections: number;
}

type RequestExchange = Exchange<RequestState>;

export class ProxyHandler implements ExchangeHandler<RequestState> {
  readonly #deps: ProxyDependencies;
  readonly #texts = new DecisionTextCache();

  constructor(dependencies: ProxyDependencies) {
    this.#deps = dependencies;
  }

  onRequest(exchange: RequestExchange): void {
    const state = this.#begin(exchange);
    this.#serve(exchange, state).catch((error: unknown) => {
      // A fault of the router itself: the client must not wait for it, and the log must show it.
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#refuse(exchange, state, "router-fault", cause);
    });
  }

  onRefusal(exchange: RequestExchange, refusal: Refusal): void {
    this.#refuse(exchange, this.#begin(exchange), refusal.code);
  }

  // #region serve
  async #serve(exchange: RequestExchange, state: RequestState): Promise<void> {
    const key = readRoutingKey(exchange.head);
    if (!key.ok) return this.#refuse(exchange, state, key.code);
    state.routingKey = key.routingKey;

    // One read: a swap mid-request must not let one request see two tables.
    const snapshot = this.#deps.store.current();
    if (snapshot === undefined) return this.#refuse(exchange, state, "no-routing-table");
    const decision = route(snapshot.table, key.routingKey);
    state.decision = decision;

    const { resilience, attempts } = this.#deps;
    const taken = resilience.tryTake(key.routingKey, decision.placement, state.startedAtMs);
    if (!taken.ok) return this.#refuse(exchange, state, "rate-limited", undefined, taken.retryAfterMs);
    // Held until the request has ended, whoever serves it: what spills over to others is bounded by this limit too.
    const place = resilience.guard(decision.placement).limit.tryAcquire();
    if (place === undefined) return this.#refuse(exchange, state, "overloaded");
    try {
      const { requestId, startedAtMs, method } = state;
      const { head, clientAddress } = exchange;
      const lines = upstreamLines(head, { clientAddress, requestId, rawRoutingKey: key.rawRoutingKey });
      const hasBody = head.body.kind === "chunked" || (head.body.kind === "length" && head.body.length > 0);
      const isAnswered = (): boolean => state.status !== 0 || exchange.interimSent;
      const clientLeft = (): AbortSignal => {
        const left = new AbortController();
        if (exchange.gone) left.abort();
        else exchange.onGone = () => left.abort();
        return left.signal;
      };
      const attempted: AttemptedRequest = {
        method,
        hasBody,
        startedAtMs,
        isAnswered,
        clientLeft,
        retries: 0,
      };
      state.attempted = attempted;
      const ended = await attempts.run(attempted, snapshot.table, decision.placement, (target, passesHead) =>
        this.#attempt(exchange, state, target, lines, passesHead),
      );
      if (ended.kind === "attempted") this.#finish(exchange, state, ended.result);
      else this.#refuse(exchange, state, ended.code, undefined, ended.retryAfterMs);
    } finally {
      place.release();
    }
  }
  // #endregion serve

  // #region attempt
  #attempt(
    exchange: RequestExchange,
    state: RequestState,
    target: Placement,
    lines: string,
    passesHead: (status: number) => boolean,
  ): Promise<AttemptResult> {
    return new Promise((settle) => {
      state.attempt = { target, lines, passesHead, settle, staleConnections: 0 };
      exchange.attempt(this.#deps.pool.endpoint(target.url), lines);
    });
  }

  onAnswer({ context: state }: RequestExchange, head: ResponseHead): string | undefined {
    if (state?.decision === undefined || !state.attempt?.passesHead(head.status)) return undefined;
    state.status = head.status;
    return this.#routingLines(state, state.decision);
  }

  onAttemptEnd(exchange: RequestExchange, result: AttemptResult): void {
    const state = exchange.context;
    const pending = state?.attempt;
    if (state === undefined || pending === undefined) return;
    if (mayRepeat(result, exchange, pending)) {
      pending.staleConnections += 1;
      return exchange.attempt(this.#deps.pool.endpoint(pending.target.url), pending.lines);
    }
    // Read now: what follows runs later, when the exchange may already serve the connection's next request.
    state.status = exchange.status;
    state.bytesIn = exchange.bytesIn;
    state.bytesOut = exchange.bytesOut;
    pending.settle(result);
  }
  // #endregion attempt

  #begin(exchange: RequestExchange): RequestState {
    const { method, path, fields } = exchange.head;
    const requestId = requestIdOf(fields) ?? this.#deps.newRequestId();
    const startedAtMs = this.#deps.clock.now();
    const state: RequestState = { requestId, startedAtMs, method, path, status: 0, bytesIn: 0, bytesOut: 0 };
    exchange.context = state;
    return state;
  }

  #finish(exchange: RequestExchange, state: RequestState, result: AttemptResult): void {
    switch (result.kind) {
      case "complete":
        return this.#log(state, "complete");
      case "client-aborted":
        return this.#log(state, "client-aborted");
      case "withheld":
        // Only for a retry, whose result has then taken this one's place.
        throw new Error(`An answer with status ${result.status} was withheld and nothing followed.`);
      case "failed":
        if (!result.headSent) return this.#refuse(exchange, state, result.code, result.cause);
        return this.#log(
          state,
          isClientFault(result.code) ? "client-aborted" : "upstream-failed",
          result.code,
          result.cause,
        );
      default:
        result satisfies never;
    }
  }

  // #region refuse
  /** Answers in the router's own name. */
  #refuse(
    exchange: RequestExchange,
    state: RequestState,
    code: ErrorCode,
    cause?: string,
    retryAfterMs = 1000,
  ): void {
    const { requestId, decision } = state;
    const { status, title } = problemOf(code);
    let lines = "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n";
    lines += decision === undefined ? `X-Request-Id: ${requestId}\r\n` : this.#routingLines(state, decision);
    if (code === "method-not-allowed") lines += "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
    if (status === 503 || status === 429) {
      lines += `Retry-After: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}\r\n`;
    }
    state.bytesIn = exchange.bytesIn;
    exchange.answer({ status, reason: title, lines, body: problemBody(code, requestId) });
    state.status = exchange.gone ? 0 : status;
    // With a cause it was a cell's failure; without one, the router's own decision.
    const failed = cause !== undefined && status >= 502;
    this.#log(state, failed ? "upstream-failed" : "complete", code, cause);
  }
  // #endregion refuse

  /** What an answer says about the decision, and about what came of it so far. */
  #routingLines(state: RequestState, decision: RouteDecision): string {
    const { requestId, attempted } = state;
    const { failover, retries = 0 } = attempted ?? {};
    if (failover === undefined && retries === 0) {
      return `X-Request-Id: ${requestId}\r\n${this.#texts.of(decision).lines}`;
    }
    const { name } = attempted?.target ?? decision.placement;
    return routingLines({ requestId, routedTo: name, routeReason: decision.reason, failover, retries });
  }

  // One literal with every field in one order: entries of many shapes made each reader of them several times slower.
  #log(state: RequestState, outcome: Outcome, code?: string, cause?: string): void {
    const { decision, attempted } = state;
    const placement = decision?.placement;
    const target = attempted?.target ?? placement;
    this.#deps.accessLog.record({
      requestId: state.requestId,
      method: state.method,
      path: state.path,
      routingKey: state.routingKey,
      placement: placement?.name,
      reason: decision?.reason,
      upstream: target?.url,
      decisionText: decision !== undefined && target === placement ? this.#texts.of(decision).log : undefined,
      servedBy: attempted?.failover && attempted.target?.name,
      failoverReason: attempted?.failover?.reason,
      retries: attempted?.retries || undefined,
      status: state.status,
      durationMs: this.#deps.clock.now() - state.startedAtMs,
      bytesIn: state.bytesIn,
      bytesOut: state.bytesOut,
      outcome,
      code,
      cause,
    });
  }
}

/** Methods whose effect is the same when the cell gets them twice. https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2 */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Whether a request may go out again after its connection turned out to be stale. */
function mayRepeat(
  result: AttemptResult,
  { replayable, head }: RequestExchange,
  attempt: PendingAttempt,
): boolean {
  if (result.kind !== "failed" || !result.staleConnection || !replayable) return false;
  return attempt.staleConnections < maxStaleConnections && idempotentMethods.has(head.method);
}

/** The client's request id, where it brought exactly one that is safe to log and to pass on. */
function requestIdOf(fields: FieldSection): string | undefined {
  const id = fields.valueOf(Field.xRequestId);
  if (id === undefined) return undefined;
  const isRepeated = (fields.repeated & (1 << Field.xRequestId)) !== 0;
  if (isRepeated && fields.valuesOf(Field.xRequestId).some((other) => other !== id)) return undefined;
  return /^[A-Za-z0-9._-]{1,128}$/.test(id) ? id : undefined;
}
