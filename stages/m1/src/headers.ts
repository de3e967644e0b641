// The header rules of a proxy: which fields pass, which stop here, which the router writes itself.
// Works on raw lists (name, value, name, value, …) in the order in which they came: an object would join
// or drop repeated fields, and `Set-Cookie` must not be joined.

/** A header section as it came: name, value, name, value, … */
export type RawHeaders = readonly string[];

// #region hop-by-hop
/**
 * Fields about one connection, not about the message. `Transfer-Encoding` is among them because each hop frames
 * the body anew; `Expect` because this router responds to it itself.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
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

/**
 * Framing and routing fields that `Connection` cannot remove: without its length a body would run into the
 * next message, and a client must not be able to hide a field from the cell that the router vouches for.
 */
const notNominable: ReadonlySet<string> = new Set(["content-length", "host", "x-routing-key", "set-cookie"]);

/** The lower-case names that the `Connection` fields of this section nominate as hop-by-hop. */
function connectionOptions(raw: RawHeaders): ReadonlySet<string> {
  const options = valuesOf(raw, "connection").flatMap((value) => value.split(","));
  const names = options.map((option) => option.trim().toLowerCase());
  return new Set(names.filter((name) => name !== "" && !notNominable.has(name)));
}

/**
 * Removes hop-by-hop fields, those that `Connection` names, and those in `owned`, which the router writes itself.
 * Returns a new list; the input is not modified.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
export function endToEnd(raw: RawHeaders, owned: ReadonlySet<string>): string[] {
  const nominated = connectionOptions(raw);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || owned.has(lower) || nominated.has(lower)) continue;
    kept.push(name, raw[i + 1] as string);
  }
  return kept;
}
// #endregion hop-by-hop

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

// #region forwarding
/** Written by the router towards the cell, so a client's own copies never pass. */
export const ownedUpstream: ReadonlySet<string> = new Set([
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
  return values.length === 0 ? value : `${values.join(", ")}, ${value}`;
}
// #endregion forwarding

// #region downstream
/** What the router tells the client about its decision. */
export interface RoutingFields {
  readonly requestId: string;
  readonly routedTo: string;
  readonly routeReason: string;
}

/** Written by the router towards the client, so a cell's own copies never pass. */
export const ownedDownstream: ReadonlySet<string> = new Set([
  "x-request-id",
  "x-routed-to",
  "x-route-reason",
]);

/** Which of the fields about the body hold for the client's copy of a response. */
export interface BodyFields {
  /**
   * False where a length would contradict the framing: beside `Transfer-Encoding`, which overrides it, and on a 204.
   * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3
   */
  readonly lengthPasses: boolean;
  /** False where no trailers can follow, so that none must be announced. */
  readonly trailersPass: boolean;
}

/** The fields to send to the client: the cell's end-to-end fields, then the router's own. */
export function downstreamHeaders(raw: RawHeaders, routing: RoutingFields, body: BodyFields): string[] {
  const owned = new Set(ownedDownstream);
  if (!body.lengthPasses) owned.add("content-length");
  if (!body.trailersPass) owned.add("trailer");
  const fields = endToEnd(raw, owned);
  fields.push("X-Request-Id", routing.requestId, "X-Routed-To", routing.routedTo);
  fields.push("X-Route-Reason", routing.routeReason);
  return fields;
}

/** Fields that frame, route or describe a connection: a trailer that arrives after the decision must not bring them. */
const notInTrailers: ReadonlySet<string> = new Set([
  ...ownedUpstream,
  ...ownedDownstream,
  "content-length",
  "trailer",
]);

/**
 * The trailers to send to the client, as pairs.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
 */
export function endToEndTrailers(raw: RawHeaders): [name: string, value: string][] {
  const fields = endToEnd(raw, notInTrailers);
  const trailers: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2)
    trailers.push([fields[i] as string, fields[i + 1] as string]);
  return trailers;
}
// #endregion downstream

/** Every value of a field, in order. */
export function valuesOf(raw: RawHeaders, lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    // Length first: it rules out most names without making a lower-case copy.
    const name = raw[i] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName)
      values.push(raw[i + 1] as string);
  }
  return values;
}
