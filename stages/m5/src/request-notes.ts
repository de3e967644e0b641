// What is known of one request, and what came of it so far: noted on the way, and told to the client and in the log.

import type { AccessEntry, Outcome } from "./access-log.ts";
import type { AttemptedRequest } from "./attempt.ts";
import { routingLines } from "./headers.ts";
import { Field } from "./http1/field-names.ts";
import type { FieldSection } from "./http1/field-section.ts";
import type { RouteDecision } from "./routing.ts";
import type { Placement } from "./routing-table.ts";
import type { OwnedExchange } from "./sockets/request-owner.ts";
import type { PrerenderedCache, PrerenderedHeaders } from "./trim/prerendered-headers.ts";

export interface NotesDependencies {
  /** Makes an id for a request that brought none. */
  readonly newRequestId: () => string;
  readonly prerendered: PrerenderedCache;
}

export class RequestNotes implements AttemptedRequest {
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly method: string;
  readonly path: string;
  readonly hasBody: boolean;
  routingKey: string | undefined;
  decision: RouteDecision | undefined;
  target?: Placement;
  failover?: AttemptedRequest["failover"];
  retries = 0;
  readonly #exchange: OwnedExchange;
  readonly #prerendered: PrerenderedCache;
  #left: AbortController | undefined;
  /** What is said of the decision, once it has been looked up: the response and the log both need it. */
  #headers: PrerenderedHeaders | undefined;

  constructor(
    exchange: OwnedExchange,
    startedAtMs: number,
    { newRequestId, prerendered }: NotesDependencies,
  ) {
    const { method, path, fields, body } = exchange.request.head;
    this.requestId = requestIdOf(fields) ?? newRequestId();
    this.startedAtMs = startedAtMs;
    this.method = method;
    this.path = path;
    this.hasBody = body.kind === "chunked" || (body.kind === "length" && body.length > 0);
    this.#exchange = exchange;
    this.#prerendered = prerendered;
  }

  isAnswered(): boolean {
    const { status, interimSent } = this.#exchange.response;
    return status !== 0 || interimSent;
  }

  clientLeft(): AbortSignal {
    this.#left ??= new AbortController();
    if (this.#exchange.isGone) this.#left.abort();
    return this.#left.signal;
  }

  /** The client has left while no attempt was under way. */
  noteClientGone(): void {
    this.#left?.abort();
  }

  /** What a response says about the decision, and about what came of it so far. */
  get responseLines(): string {
    const { requestId, decision, failover, retries } = this;
    if (decision === undefined) return `X-Request-Id: ${requestId}\r\n`;
    if (failover === undefined && retries === 0) {
      return `X-Request-Id: ${requestId}\r\n${this.#headersOf(decision).lines}`;
    }
    const { name } = this.target ?? decision.placement;
    return routingLines({ requestId, routedTo: name, routeReason: decision.reason, failover, retries });
  }

  #headersOf(decision: RouteDecision): PrerenderedHeaders {
    this.#headers ??= this.#prerendered.of(decision);
    return this.#headers;
  }

  // One literal with every field in one order: entries of many shapes made each reader of them several times slower.
  entry(nowMs: number, outcome: Outcome, code: string | undefined, cause: string | undefined): AccessEntry {
    const { decision, failover } = this;
    const { request, response } = this.#exchange;
    const placement = decision?.placement;
    const target = this.target ?? placement;
    return {
      requestId: this.requestId,
      method: this.method,
      path: this.path,
      routingKey: this.routingKey,
      placement: placement?.name,
      reason: decision?.reason,
      upstream: target?.url,
      decisionText:
        decision !== undefined && target === placement ? this.#headersOf(decision).log : undefined,
      servedBy: failover && this.target?.name,
      failoverReason: failover?.reason,
      retries: this.retries || undefined,
      status: response.status,
      durationMs: nowMs - this.startedAtMs,
      bytesIn: request.bytesIn,
      bytesOut: response.bytesOut,
      outcome,
      code,
      cause,
    };
  }
}

/** The client's request id, where it brought exactly one that is safe to log and to pass on. */
function requestIdOf(fields: FieldSection): string | undefined {
  const id = fields.valueOf(Field.xRequestId);
  if (id === undefined) return undefined;
  if (
    fields.isRepeated(Field.xRequestId) &&
    fields.valuesOf(Field.xRequestId).some((other) => other !== id)
  ) {
    return undefined;
  }
  return /^[A-Za-z0-9._-]{1,128}$/.test(id) ? id : undefined;
}
