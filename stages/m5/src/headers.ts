// The lines that the router itself writes, towards the cell and towards the client, ready for the wire. Which of the
// other side's fields pass is decided in `http1/head-writer.ts`.

import { Field } from "./http1/field-names.ts";
import { appended } from "./http1/head-writer.ts";
import type { RequestHead } from "./http1/request-head.ts";

/** What the router knows about a request when it writes the lines for the cell. */
export interface ForwardingContext {
  /** Address of the client's end of the connection. */
  readonly clientAddress: string;
  readonly requestId: string;
  /** The routing key's bytes as they came. */
  readonly rawRoutingKey: string;
}

// #region forwarding
/**
 * The router's own lines towards the cell, each ended by CR LF.
 *
 * `X-Forwarded-For` and `Via` are lists and grow by this hop; `X-Forwarded-Host` and `-Proto` are facts that the
 * router states. `Host` is added by the connection, which knows the cell's authority.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3 Via
 */
export function upstreamLines(head: RequestHead, context: ForwardingContext): string {
  const { fields, host, minorVersion } = head;
  const forwardedFor = appended(fields, Field.xForwardedFor, context.clientAddress);
  // Most requests come straight from a client: then the two lines are one constant.
  const via = fields.has(Field.via)
    ? `X-Forwarded-Proto: http\r\nVia: ${appended(fields, Field.via, `1.${minorVersion} cell-router`)}\r\n`
    : protoAndVia[minorVersion];
  const forwardedHost = host === undefined ? "" : `X-Forwarded-Host: ${host}\r\n`;
  return (
    `X-Routing-Key: ${context.rawRoutingKey}\r\nX-Request-Id: ${context.requestId}\r\n` +
    `X-Forwarded-For: ${forwardedFor}\r\n${via}${forwardedHost}`
  );
}

const protoAndVia = [
  "X-Forwarded-Proto: http\r\nVia: 1.0 cell-router\r\n",
  "X-Forwarded-Proto: http\r\nVia: 1.1 cell-router\r\n",
] as const;
// #endregion forwarding

// #region downstream
/** What the router tells the client about its decision. */
export interface RoutingFields {
  readonly requestId: string;
  readonly routedTo: string;
  readonly routeReason: string;
  /** Who was routed to and why another one serves; undefined when nobody stood in. */
  readonly failover?: { readonly from: string; readonly reason: string } | undefined;
  /** Retries made for this response. */
  readonly retries: number;
}

/** What every response to a routed request says about the decision and about what came of it, as lines. */
export function routingLines({ requestId, routedTo, routeReason, failover, retries }: RoutingFields): string {
  const lines = `X-Request-Id: ${requestId}\r\n${decisionLines(routedTo, routeReason)}`;
  if (failover === undefined && retries === 0) return lines;
  const from = failover
    ? `X-Failover-From: ${failover.from}\r\nX-Failover-Reason: ${failover.reason}\r\n`
    : "";
  return lines + from + (retries > 0 ? `X-Retry-Count: ${retries}\r\n` : "");
}

/** What a response says about the decision: the same for every request that it serves. */
export function decisionLines(routedTo: string, routeReason: string): string {
  return `X-Routed-To: ${routedTo}\r\nX-Route-Reason: ${routeReason}\r\n`;
}
// #endregion downstream
