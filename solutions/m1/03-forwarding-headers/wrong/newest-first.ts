// The fields that the router writes towards the cell: who asked, for which host, over how many hops, under which id.
// Which fields pass at all is decided elsewhere.

import {
  endToEnd,
  type ForwardingContext,
  type RawHeaders,
  valuesOf,
} from "../../../../stages/m1/src/headers.ts";

/** Written by the router towards the cell, so a client's own copies never pass. */
const ownedUpstream: ReadonlySet<string> = new Set([
  "host",
  "x-routing-key",
  "x-request-id",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-routed-to",
  "x-route-reason",
  "via",
]);

/**
 * The fields to send to the cell: the client's end-to-end fields, then the router's own.
 *
 * `X-Forwarded-For` and `Via` are lists and grow by this hop; `X-Forwarded-Host` and `-Proto` are facts that the
 * router states. `Host` is left to the connection, which knows the cell's authority.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3 Via
 */
export function upstreamHeaders(raw: RawHeaders, context: ForwardingContext): string[] {
  const fields = endToEnd(raw, ownedUpstream);
  fields.push(
    "X-Routing-Key",
    context.rawRoutingKey,
    "X-Request-Id",
    context.requestId,
    "X-Forwarded-For",
    appended(raw, "x-forwarded-for", context.clientAddress),
    "X-Forwarded-Proto",
    "http",
    "Via",
    appended(raw, "via", `${context.httpVersion} cell-router`),
  );
  if (context.host !== undefined) fields.push("X-Forwarded-Host", context.host);
  return fields;
}

/** The list field's values so far, in order, with `value` as the last. */
function appended(raw: RawHeaders, lowerName: string, value: string): string {
  const values = valuesOf(raw, lowerName).filter((each) => each !== "");
  return values.length === 0 ? value : `${value}, ${values.join(", ")}`;
}

/** The client's request id, where it brought exactly one that is safe to log and to pass on. */
export function requestIdOf(raw: RawHeaders): string | undefined {
  const [id, ...others] = valuesOf(raw, "x-request-id");
  if (id === undefined || others.some((other) => other !== id)) return undefined;
  return /^[A-Za-z0-9._-]{1,128}$/.test(id) ? id : undefined;
}
