// Everything known about one request on its way, and what the log says about it at the end. The order of the steps is left
// to `proxy.ts`.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AccessEntry } from "./access-log.ts";
import type { TransferCounts } from "./attempt.ts";
import type { RequestHead } from "./request-head.ts";
import type { RouteDecision } from "./routing.ts";

export interface Exchange extends TransferCounts {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  readonly startedAtMs: number;
  head?: RequestHead;
  decision?: RouteDecision;
}

/** How an exchange ended. */
export type Ending = Pick<AccessEntry, "outcome" | "code" | "cause">;

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
          upstream: decision.placement.url,
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
