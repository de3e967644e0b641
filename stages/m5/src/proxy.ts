// One request through the router: check it, read one snapshot, decide, attempt, log. The order of the steps stands
// here and nowhere else; each step's rules live in the module that it calls.
// route → rate limit → concurrency limit → attempts (choose target → attempt → record → maybe retry) → log

import type { AccessLog, Outcome } from "./access-log.ts";
import type { AttemptResult } from "./attempt.ts";
import { isCellFault, isClientFault } from "./attempt-results.ts";
import type { AttemptedRequest, Attempter, Attempts, AttemptsResult } from "./attempts.ts";
import type { Clock } from "./clock.ts";
import type { Permit } from "./concurrency-limit.ts";
import type { DateLine } from "./date-line.ts";
import { type ErrorCode, problemBody, problemOf } from "./errors.ts";
import { routingLines, upstreamLines } from "./headers.ts";
import { Field } from "./http1/field-names.ts";
import type { FieldSection } from "./http1/field-section.ts";
import type { Refusal } from "./http1/refusal.ts";
import type { ResponseHead } from "./http1/response-head.ts";
import { readRoutingKey } from "./request-head.ts";
import type { Resilience } from "./resilience.ts";
import { type RouteDecision, route } from "./routing.ts";
import type { Placement } from "./routing-table.ts";
import type { ConnectionPool } from "./sockets/connection-pool.ts";
import type { Exchange } from "./sockets/exchange.ts";
import type { ExchangeHandler } from "./sockets/exchange-handler.ts";
import type { FaultReport } from "./sockets/fault-report.ts";
import type { TableStore } from "./table-store.ts";
import type { Course } from "./trim/attempt-course.ts";
import { DecisionTextCache } from "./trim/decision-texts.ts";

export interface ProxyDependencies {
  readonly store: TableStore;
  readonly pool: ConnectionPool;
  readonly resilience: Resilience;
  readonly attempts: Attempts;
  readonly accessLog: AccessLog;
  readonly dateLine: DateLine;
  readonly clock: Clock;
  readonly report: FaultReport;
  /** Makes an id for a request that brought none. */
  readonly newRequestId: () => string;
}

/** Attempts that a request may use up on connections that the cell had closed while they were idle. */
const maxStaleConnections = 2;

type RequestExchange = Exchange<ProxiedRequest>;

export class ProxyHandler implements ExchangeHandler<ProxiedRequest> {
  readonly report: FaultReport;
  readonly #deps: ProxyDependencies;
  readonly #texts = new DecisionTextCache();

  constructor(dependencies: ProxyDependencies) {
    this.#deps = dependencies;
    this.report = dependencies.report;
  }

  onRequest(exchange: RequestExchange): void {
    new ProxiedRequest(this.#deps, this.#texts, exchange).serve();
  }

  onRefusal(exchange: RequestExchange, { code }: Refusal): void {
    new ProxiedRequest(this.#deps, this.#texts, exchange).refuse(code);
  }

  onAnswer({ context }: RequestExchange, head: ResponseHead): string | undefined {
    return context?.onAnswer(head);
  }

  onAttemptEnd({ context }: RequestExchange, result: AttemptResult): void {
    context?.onAttemptEnd(result);
  }

  onThrow(exchange: RequestExchange, context: ProxiedRequest | undefined, error: unknown): void {
    if (context !== undefined) return context.endByThrow(error);
    // It threw before there was a request to speak for.
    this.report(error);
    const { status, title } = problemOf("router-fault");
    const lines = "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n";
    exchange.answer({ status, reason: title, lines, body: problemBody("router-fault", "none") });
  }
}

/**
 * One request on its way, and everything that it gathers there. The exchange is used again for the next request of the
 * connection as soon as this one's answer is out: nothing is read from it after that.
 */
class ProxiedRequest implements AttemptedRequest, Attempter {
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly method: string;
  readonly path: string;
  readonly hasBody: boolean;
  target?: Placement;
  failover?: AttemptedRequest["failover"];
  retries = 0;
  readonly #deps: ProxyDependencies;
  readonly #texts: DecisionTextCache;
  readonly #exchange: RequestExchange;
  #routingKey: string | undefined;
  #rawRoutingKey = "";
  #decision: RouteDecision | undefined;
  #place: Permit | undefined;
  /** The router's own lines towards a cell: the same for every attempt. */
  #lines: string | undefined;
  #course: Course | undefined;
  #logged = false;
  #staleConnections = 0;
  #status = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(dependencies: ProxyDependencies, texts: DecisionTextCache, exchange: RequestExchange) {
    const { method, path, fields, body } = exchange.head;
    this.requestId = requestIdOf(fields) ?? dependencies.newRequestId();
    this.startedAtMs = dependencies.clock.now();
    this.method = method;
    this.path = path;
    this.hasBody = body.kind === "chunked" || (body.kind === "length" && body.length > 0);
    this.#deps = dependencies;
    this.#texts = texts;
    this.#exchange = exchange;
    exchange.context = this;
  }

  // #region serve
  serve(): void {
    const key = readRoutingKey(this.#exchange.head);
    if (!key.ok) return this.refuse(key.code);
    this.#routingKey = key.routingKey;
    this.#rawRoutingKey = key.rawRoutingKey;

    // One read: a swap mid-request must not let one request see two tables.
    const snapshot = this.#deps.store.current();
    if (snapshot === undefined) return this.refuse("no-routing-table");
    const decision = route(snapshot.table, key.routingKey);
    this.#decision = decision;
    if (this.#exchange.head.maxForwards === 0) return this.#respondAsLast(decision);

    const { resilience, attempts } = this.#deps;
    const taken = resilience.tryTake(key.routingKey, decision.placement, this.startedAtMs);
    if (!taken.ok) return this.refuse("rate-limited", undefined, taken.retryAfterMs);
    // Held until the request has ended, whoever serves it: what spills over to others is bounded by this limit too.
    this.#place = resilience.guard(decision.placement).limit.tryAcquire();
    if (this.#place === undefined) return this.refuse("overloaded");
    this.#course = attempts.of(this, snapshot.table, decision.placement, this);
    this.#course.next();
  }

  onEnd(ended: AttemptsResult): void {
    this.#place?.release();
    if (ended.kind === "attempted") this.#finish(ended.result);
    else this.refuse(ended.code, undefined, ended.retryAfterMs);
  }

  // #endregion serve

  onThrow(error: unknown): void {
    this.#exchange.contain(error, this);
  }

  /**
   * A fault of the router itself, wherever on this request's way it was thrown. Everything is given back; the client must
   * not wait for it, and the log must show it.
   */
  endByThrow(error: unknown): void {
    this.#place?.release();
    try {
      this.#course?.abandon();
    } finally {
      if (this.#logged) this.#deps.report(error);
      else this.#endWith(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  #endWith(cause: string): void {
    const exchange = this.#exchange;
    // The exchange may carry the next request already: then this one's answer was whole.
    const isPresent = exchange.context === this;
    if (isPresent && !exchange.answered && !exchange.gone) return this.refuse("router-fault", cause);
    if (isPresent) this.#status = exchange.status;
    this.#log("complete", "router-fault", cause);
  }

  // #region attempt
  send(): void {
    const exchange = this.#exchange;
    const course = this.#course;
    if (course === undefined) return;
    const { head, clientAddress } = exchange;
    const { requestId } = this;
    this.#lines ??= upstreamLines(head, { clientAddress, requestId, rawRoutingKey: this.#rawRoutingKey });
    this.#staleConnections = 0;
    exchange.attempt(this.#deps.pool.endpoint(course.target.url), this.#lines);
  }

  onAnswer(head: ResponseHead): string | undefined {
    const { status } = head;
    if (this.#decision === undefined || !this.#course?.passesHead(status)) return undefined;
    this.#status = status;
    const lines = this.#routingLines(this.#decision);
    return head.fields.has(Field.date) ? lines : lines + this.#deps.dateLine.text();
  }

  onAttemptEnd(result: AttemptResult): void {
    const exchange = this.#exchange;
    const course = this.#course;
    if (course === undefined) return;
    if (this.#mayRepeat(result)) {
      this.#staleConnections += 1;
      return exchange.attempt(this.#deps.pool.endpoint(course.target.url), this.#lines ?? "");
    }
    this.#status = exchange.status;
    this.#bytesIn = exchange.bytesIn;
    this.#bytesOut = exchange.bytesOut;
    course.ended(result);
  }

  /** Whether the request may go out again after its connection turned out to be stale. */
  #mayRepeat(result: AttemptResult): boolean {
    if (result.kind !== "failed" || !result.staleConnection || !this.#exchange.replayable) return false;
    return this.#staleConnections < maxStaleConnections && idempotentMethods.has(this.method);
  }

  isAnswered(): boolean {
    return this.#status !== 0 || this.#exchange.interimSent;
  }

  clientLeft(): AbortSignal {
    const left = new AbortController();
    if (this.#exchange.gone) left.abort();
    else this.#exchange.onGone = () => left.abort();
    return left.signal;
  }
  // #endregion attempt

  #finish(result: AttemptResult): void {
    switch (result.kind) {
      case "complete":
        return this.#log("complete");
      case "client-aborted":
        return this.#log("client-aborted");
      case "withheld":
        // Only for a retry, whose result has then taken this one's place.
        throw new Error(`An answer with status ${result.status} was withheld and nothing followed.`);
      case "failed": {
        const { headSent, code, cause } = result;
        if (!headSent) return this.refuse(code, cause);
        return this.#log(isClientFault(code) ? "client-aborted" : "upstream-failed", code, cause);
      }
      default:
        result satisfies never;
    }
  }

  // #region refuse
  /** Answers in the router's own name. */
  refuse(code: ErrorCode, cause?: string, retryAfterMs = 1000): void {
    const { requestId } = this;
    const exchange = this.#exchange;
    const decision = this.#decision;
    const { status, title } = problemOf(code);
    let lines = `${this.#deps.dateLine.text()}Content-Type: application/problem+json\r\nCache-Control: no-store\r\n`;
    lines += decision === undefined ? `X-Request-Id: ${requestId}\r\n` : this.#routingLines(decision);
    if (code === "method-not-allowed") lines += allowLine;
    if (status === 503 || status === 429) {
      lines += `Retry-After: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}\r\n`;
    }
    this.#bytesIn = exchange.bytesIn;
    exchange.answer({ status, reason: title, lines, body: problemBody(code, requestId) });
    this.#status = exchange.gone ? 0 : status;
    // With a cause it was a cell's failure; without one, the router's own decision.
    const failed = cause !== undefined && status >= 502 && isCellFault(code);
    this.#log(failed ? "upstream-failed" : "complete", code, cause);
  }
  // #endregion refuse

  /**
   * This router is the last that an OPTIONS request may reach: it says what it serves itself.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
   */
  #respondAsLast(decision: RouteDecision): void {
    const exchange = this.#exchange;
    const lines = this.#deps.dateLine.text() + allowLine + this.#routingLines(decision);
    this.#bytesIn = exchange.bytesIn;
    exchange.answer({ status: 204, reason: "No Content", lines, body: "" });
    this.#status = exchange.gone ? 0 : 204;
    this.#log("complete");
  }

  /** What an answer says about the decision, and about what came of it so far. */
  #routingLines(decision: RouteDecision): string {
    const { requestId, failover, retries } = this;
    if (failover === undefined && retries === 0) {
      return `X-Request-Id: ${requestId}\r\n${this.#texts.of(decision).lines}`;
    }
    const { name } = this.target ?? decision.placement;
    return routingLines({ requestId, routedTo: name, routeReason: decision.reason, failover, retries });
  }

  // One literal with every field in one order: entries of many shapes made each reader of them several times slower.
  #log(outcome: Outcome, code?: string, cause?: string): void {
    this.#logged = true;
    const decision = this.#decision;
    const placement = decision?.placement;
    const target = this.target ?? placement;
    this.#deps.accessLog.record({
      requestId: this.requestId,
      method: this.method,
      path: this.path,
      routingKey: this.#routingKey,
      placement: placement?.name,
      reason: decision?.reason,
      upstream: target?.url,
      decisionText: decision !== undefined && target === placement ? this.#texts.of(decision).log : undefined,
      servedBy: this.failover && this.target?.name,
      failoverReason: this.failover?.reason,
      retries: this.retries || undefined,
      status: this.#status,
      durationMs: this.#deps.clock.now() - this.startedAtMs,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      outcome,
      code,
      cause,
    });
  }
}

const allowLine = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

/** Methods whose effect is the same when the cell gets them twice. https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2 */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** The client's request id, where it brought exactly one that is safe to log and to pass on. */
function requestIdOf(fields: FieldSection): string | undefined {
  const id = fields.valueOf(Field.xRequestId);
  if (id === undefined) return undefined;
  const isRepeated = (fields.repeated & (1 << Field.xRequestId)) !== 0;
  if (isRepeated && fields.valuesOf(Field.xRequestId).some((other) => other !== id)) return undefined;
  return /^[A-Za-z0-9._-]{1,128}$/.test(id) ? id : undefined;
}
