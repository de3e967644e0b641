// Responses that the router makes itself: problems, and the one to an OPTIONS request that may go no further.

import { type ErrorCode, problemBody, problemOf } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { RouteDecision } from "./routing.ts";

const allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const framingDoubts: ReadonlySet<ErrorCode> = new Set([
  "malformed-request",
  "ambiguous-host",
  "transfer-coding-not-supported",
  "version-not-supported",
]);

// #region refuse
export function respondWithProblem(exchange: Exchange, code: ErrorCode): void {
  const { req, res, requestId, decision } = exchange;
  const body = problemBody(code, requestId);
  const { status } = problemOf(code);
  const fields = [
    "Content-Type",
    "application/problem+json",
    "Content-Length",
    String(Buffer.byteLength(body)),
  ];
  fields.push("X-Request-Id", requestId, "Cache-Control", "no-store");
  if (decision !== undefined)
    fields.push("X-Routed-To", decision.placement.name, "X-Route-Reason", decision.reason);
  if (code === "method-not-allowed") fields.push("Allow", allowedMethods);
  if (status === 503) fields.push("Retry-After", "1");
  // Where the request's framing is in doubt, nothing after it on this connection can be trusted.
  if (framingDoubts.has(code)) res.shouldKeepAlive = false;
  res.writeHead(status, fields);
  res.end(req.method === "HEAD" ? undefined : body);
}
// #endregion refuse

/** An `OPTIONS` whose `Max-Forwards` has come down to 0: nobody behind this router may see it. */
export function respondToOptions(exchange: Exchange, decision: RouteDecision): void {
  const { res, requestId } = exchange;
  const fields = ["Allow", allowedMethods, "X-Request-Id", requestId];
  fields.push("X-Routed-To", decision.placement.name, "X-Route-Reason", decision.reason);
  res.writeHead(204, fields);
  res.end();
}
