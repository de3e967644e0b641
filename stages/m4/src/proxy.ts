// One request through the router: check it, read one snapshot, decide, attempt, log. The order of the steps stands
// here and nowhere else; each step's rules live in the module that it calls.
// route → rate limit → concurrency limit → attempts (choose target → attempt → record → maybe retry) → log

import type { RequestListener } from "node:http";
import type { AccessLog } from "./access-log.ts";
import { type AttemptResult, attempt } from "./attempt.ts";
import { isClientFailure } from "./attempt-failure.ts";
import type { Attempts } from "./attempts.ts";
import type { Clock } from "./clock.ts";
import { type ErrorCode, problemOf } from "./errors.ts";
import { accessEntry, attemptedRequest, type Ending, type Exchange, routingOf } from "./exchange.ts";
import { type RawHeaders, upstreamHeaders, valuesOf } from "./headers.ts";
import { respondToOptions, respondWithProblem } from "./own-responses.ts";
import { type RequestHead, readRequestHead } from "./request-head.ts";
import type { Resilience } from "./resilience.ts";
import { type RouteDecision, route } from "./routing.ts";
import type { Placement } from "./routing-table.ts";
import type { TableStore } from "./table-store.ts";
import type { Upstreams } from "./upstreams.ts";

export interface ProxyDependencies {
  readonly store: TableStore;
  readonly upstreams: Upstreams;
  readonly resilience: Resilience;
  readonly attempts: Attempts;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  /** Makes an id for a request that brought none. */
  readonly newRequestId: () => string;
}

/** How often a request may be repeated because the cell had closed its connection while that was idle. */
const maxStaleConnections = 2;

export class ProxyHandler {
  readonly #deps: ProxyDependencies;

  constructor(dependencies: ProxyDependencies) {
    this.#deps = dependencies;
  }

  readonly handle: RequestListener = (req, res) => {
    const requestId = requestIdOf(req.rawHeaders) ?? this.#deps.newRequestId();
    const startedAtMs = this.#deps.clock.now();
    const exchange: Exchange = { req, res, requestId, startedAtMs, bytesIn: 0, bytesOut: 0 };
    this.#serve(exchange)
      .catch((error: unknown) => this.#onFault(exchange, error))
      // If even reporting the fault fails, this request is lost, and no other.
      .catch(() => res.destroy());
  };

  /** A fault of the router itself: the client must not wait for it, and the log must show it. */
  #onFault(exchange: Exchange, error: unknown): void {
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!exchange.res.headersSent) return this.#refuse(exchange, "router-fault", cause);
    exchange.res.destroy();
    this.#log(exchange, { outcome: "complete", code: "router-fault", cause });
  }

  // #region serve
  async #serve(exchange: Exchange): Promise<void> {
    const { req } = exchange;
    const { method = "", url: target = "", httpVersion, rawHeaders } = req;
    const result = readRequestHead({ method, target, httpVersion, rawHeaders });
    if (!result.ok) return this.#refuse(exchange, result.code);
    const head = result.head;
    exchange.head = head;

    // One read: a swap mid-request must not let one request see two tables.
    const snapshot = this.#deps.store.current();
    if (snapshot === undefined) return this.#refuse(exchange, "no-routing-table");
    const decision = route(snapshot.table, head.routingKey);
    exchange.decision = decision;

    if (head.endsHere) return this.#respondHere(exchange, decision);
    const { resilience, attempts, clock } = this.#deps;
    const taken = resilience.tryTake(head.routingKey, decision.placement, clock.now());
    if (!taken.ok) return this.#refuse(exchange, "rate-limited", undefined, taken.retryAfterMs);
    // Held until the request has ended, whoever serves it: so this limit also bounds what spills over to others.
    const permit = resilience.guard(decision.placement).limit.tryAcquire();
    if (permit === undefined) return this.#refuse(exchange, "overloaded");
    try {
      const attempted = attemptedRequest(exchange, head);
      exchange.attempted = attempted;
      const ended = await attempts.run(
        attempted,
        snapshot.table,
        decision.placement,
        (target, shouldForward) => this.#attempt(exchange, head, decision, target, shouldForward),
      );
      if (ended.kind === "attempted") this.#finish(exchange, ended.result);
      else this.#refuse(exchange, ended.code, undefined, ended.retryAfterMs);
    } finally {
      permit.release();
    }
  }
  // #endregion serve

  // #region attempt
  /** Attempts once, and again only if the cell may never have read the request and all of it can be sent again. */
  async #attempt(
    exchange: Exchange,
    head: RequestHead,
    decision: RouteDecision,
    { url }: Placement,
    shouldForward: (status: number) => boolean,
  ): Promise<AttemptResult> {
    const { req, res, requestId } = exchange;
    // Only once somebody takes the request, so that a refused client does not send its body for nothing.
    if (head.expectsContinue && !exchange.continueSent) res.writeContinue();
    exchange.continueSent = true;
    const headers = upstreamHeaders(head.rawHeaders, {
      clientAddress: req.socket.remoteAddress ?? "unknown",
      host: head.host,
      httpVersion: head.httpVersion,
      requestId,
      rawRoutingKey: head.rawRoutingKey,
    });
    const routing = routingOf(exchange, decision);
    const { method, path, hasBody } = head;
    const request = { method, path, headers, hasBody, routing, shouldForward };
    let result = await attempt(this.#deps.upstreams.poolFor(url), request, req, res, exchange);
    for (let stale = 1; stale <= maxStaleConnections && mayRepeat(result, head); stale++) {
      result = await attempt(this.#deps.upstreams.poolFor(url), request, req, res, exchange);
    }
    return result;
  }
  // #endregion attempt

  #finish(exchange: Exchange, result: AttemptResult): void {
    switch (result.kind) {
      case "complete":
        return this.#log(exchange, { outcome: "complete" });
      case "client-aborted":
        return this.#log(exchange, { outcome: "client-aborted" });
      case "discarded":
        // A response is only discarded for a retry, and then the retry's result replaces it.
        throw new Error(`A response with status ${result.status} was discarded and nothing followed.`);
      case "failed":
        if (!result.headSent) return this.#refuse(exchange, result.code, result.cause);
        return this.#log(exchange, {
          outcome: isClientFailure(result.code) ? "client-aborted" : "upstream-failed",
          code: result.code,
          cause: result.cause,
        });
      default:
        result satisfies never;
    }
  }

  /** Responds in the router's own name. */
  #refuse(exchange: Exchange, code: ErrorCode, cause?: string, retryAfterMs = 1000): void {
    respondWithProblem(exchange, code, retryAfterMs);
    // With a cause it was a cell's failure; without one, the router's own decision.
    const failed = cause !== undefined && problemOf(code).status >= 502 && code !== "router-exhausted";
    this.#log(exchange, {
      outcome: failed ? "upstream-failed" : "complete",
      code,
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #respondHere(exchange: Exchange, decision: RouteDecision): void {
    respondToOptions(exchange, decision);
    this.#log(exchange, { outcome: "complete" });
  }

  #log(exchange: Exchange, ending: Ending): void {
    const { accessLog, clock } = this.#deps;
    accessLog.record(accessEntry(exchange, ending, clock.now()));
  }
}

/** Methods whose effect is the same when the cell gets them twice. https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2 */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Whether a request may go out again after its connection turned out to be stale. */
function mayRepeat(result: AttemptResult, head: RequestHead): boolean {
  return (
    result.kind === "failed" && result.staleConnection && !head.hasBody && idempotentMethods.has(head.method)
  );
}

/** The client's request id, where it brought exactly one that is safe to log and to pass on. */
function requestIdOf(raw: RawHeaders): string | undefined {
  const [id, ...others] = valuesOf(raw, "x-request-id");
  if (id === undefined || others.some((other) => other !== id)) return undefined;
  return /^[A-Za-z0-9._-]{1,128}$/.test(id) ? id : undefined;
}
