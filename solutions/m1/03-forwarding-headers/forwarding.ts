// The fields that the router writes towards the cell: who asked, for which host, over how many hops, under which id.

/** A header section as it came: name, value, name, value, … */
export type RawHeaders = readonly string[];

/** What the router knows about a request when it writes the fields for the cell. */
export interface ForwardingContext {
  /** Address of the client's end of the connection. */
  readonly clientAddress: string;
  /** Host that the client asked for; undefined for an HTTP/1.0 request without one. */
  readonly host: string | undefined;
  /** Protocol version that the client spoke: `1.1` or `1.0`. */
  readonly httpVersion: string;
  readonly requestId: string;
  /** The routing key's bytes as they came. */
  readonly rawRoutingKey: string;
}

/** Fields that the router writes towards the cell. A client's own copies never pass. */
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
 * `X-Forwarded-For` and `Via` are lists, and this hop appends to them. `X-Forwarded-Host` and `-Proto` are facts, and
 * the router states them. `Host` is left out: the connection to the cell writes it.
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

/** The list so far, in order, with `value` as its last member. */
function appended(raw: RawHeaders, lowerName: string, value: string): string {
  const values = valuesOf(raw, lowerName).filter((each) => each !== "");
  return values.length === 0 ? value : `${values.join(", ")}, ${value}`;
}

/** The client's request id, if it sent exactly one and that one is safe to log and to pass on; otherwise undefined. */
export function requestIdOf(raw: RawHeaders): string | undefined {
  const [id, ...others] = valuesOf(raw, "x-request-id");
  if (id === undefined || others.some((other) => other !== id)) return undefined;
  return /^[A-Za-z0-9._-]{1,128}$/.test(id) ? id : undefined;
}

// What follows is given: which fields pass at all (the exercise before this one), and how to read a field.

const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
  "expect",
  "http2-settings",
  "proxy-authenticate",
  "proxy-authorization",
]);

const notNominable: ReadonlySet<string> = new Set(["content-length", "host", "x-routing-key", "set-cookie"]);

/** The fields about the message: without hop-by-hop fields, those that `Connection` names, and those in `owned`. */
function endToEnd(raw: RawHeaders, owned: ReadonlySet<string>): string[] {
  const options = valuesOf(raw, "connection").flatMap((value) => value.split(","));
  const named = options
    .map((option) => option.trim().toLowerCase())
    .filter((name) => !notNominable.has(name));
  const stops = new Set([...hopByHop, ...owned, ...named]);
  return raw.filter((_, i) => !stops.has((raw[i - (i % 2)] as string).toLowerCase()));
}

/** Every value of a field, in order. */
function valuesOf(raw: RawHeaders, lowerName: string): string[] {
  return raw.filter((_, i) => i % 2 === 1 && (raw[i - 1] as string).toLowerCase() === lowerName);
}
