// Everything known about one request on its way, and what the log says about it at the end. The order of the steps is left
// to `proxy.ts`.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AccessEntry } from "./access-log.ts";
import type { TransferCounts } from "./attempt.ts";
import type { AttemptedRequest } from "./attempts.ts";
import type { RoutingFields } from "./headers.ts";
import type { RequestHead } from "./request-head.ts";
import type { RouteDecision } from "./routing.ts";

export interface Exchange extends TransferCounts {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  readonly startedAtMs: number;
  head?: RequestHead;
  decision?: RouteDecision;
  attempted?: AttemptedRequest;
  continueSent?: boolean;
}

/** How an exchange ended. */
export type Ending = Pick<AccessEntry, "outcome" | "code" | "cause">;

/** The exchange as the loop of attempts sees it. */
export function attemptedRequest(exchange: Exchange, { method, hasBody }: RequestHead): AttemptedRequest {
  const { res, startedAtMs } = exchange;
  const isAnswered = () => res.headersSent || exchange.interimSent === true;
  const clientLeft = () => {
    const left = new AbortController();
    if (res.closed) left.abort();
    else res.once("close", () => left.abort());
    return left.signal;
  };
  return { method, hasBody, startedAtMs, isAnswered, clientLeft, retries: 0 };
}

/** What a response says about the decision, and about what came of it so far. */
export function routingOf({ requestId, attempted }: Exchange, decision: RouteDecision): RoutingFields {
  const { name } = attempted?.target ?? decision.placement;
  const { failover, retries = 0 } = attempted ?? {};
  return { requestId, routedTo: name, routeReason: decision.reason, failover, retries };
}

/** What the log says of an exchange that has ended. */
export function accessEntry(exchange: Exchange, ending: Ending, nowMs: number): AccessEntry {
  const { req, res, requestId, startedAtMs, bytesIn, bytesOut, head, decision } = exchange;
  const routed =
    head === undefined || decision === undefined
      ? {}
      : {
          routingKey: head.routingKey,
          placement: decision.placement.name,
          reason: decision.reason,
          upstream: (exchange.attempted?.target ?? decision.placement).url,
          servedBy: exchange.attempted?.failover && exchange.attempted.target?.name,
          failoverReason: exchange.attempted?.failover?.reason,
          retries: exchange.attempted?.retries || undefined,
        };
  return {
    requestId,
    method: req.method ?? "",
    path: head?.path ?? req.url ?? "",
    ...routed,
    status: res.headersSent ? res.statusCode : 0,
    durationMs: Math.round((nowMs - startedAtMs) * 1000) / 1000,
    bytesIn,
    bytesOut,
    ...ending,
  };
}
