// Writes the heads that go on to the other side. A head is rewritten as few slices of the text it came in: the fields
// that pass are neither split nor joined, so what passes is byte for byte what came.
// Which fields a router adds, and their values, is its caller's business.

import type { ConnectionOptions } from "./connection-options.ts";
import { Field, type FieldId, fieldIdOf, maskOf } from "./field-names.ts";
import type { FieldSection } from "./field-section.ts";
import type { ResponseBody } from "./framing.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";
import type { MinorVersion } from "./version.ts";

// #region header-rules
/**
 * Fields about one connection, not about the message. `Transfer-Encoding` is among them because each hop states its own;
 * `Expect` because this router answers it itself.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
export const hopByHop = maskOf(
  Field.connection,
  Field.proxyConnection,
  Field.keepAlive,
  Field.te,
  Field.transferEncoding,
  Field.upgrade,
  Field.expect,
  Field.http2Settings,
  Field.proxyAuthenticate,
  Field.proxyAuthorization,
);

/**
 * Framing and routing fields that `Connection` cannot name away: without its length a body would run into the next
 * message, and a client must not be able to take a field from the cell that the router vouches for.
 */
export const notNominable = maskOf(
  Field.contentLength,
  Field.host,
  Field.xRoutingKey,
  Field.setCookie,
  Field.date,
);

/** Fields that the router writes towards the cell, so a client's own copies never pass, nor what looks like them. */
export const ownedUpstream = maskOf(
  Field.host,
  Field.xRoutingKey,
  Field.xRequestId,
  Field.xForwardedFor,
  Field.xForwardedHost,
  Field.xForwardedProto,
  Field.xRoutedTo,
  Field.xRouteReason,
  Field.via,
  Field.lookAlike,
);

/** Fields that the router writes towards the client, so a cell's own copies never pass. */
export const ownedDownstream = maskOf(
  Field.xRequestId,
  Field.xRoutedTo,
  Field.xRouteReason,
  Field.xFailoverFrom,
  Field.xFailoverReason,
  Field.xRetryCount,
);

const contentLength = maskOf(Field.contentLength);
const trailer = maskOf(Field.trailer);
const maxForwards = maskOf(Field.maxForwards);
/** A trailer that arrives after the decision must not frame, route or describe a connection. */
const notInTrailers = hopByHop | ownedUpstream | ownedDownstream | contentLength | trailer;

/** The names of `connection` that count, or an empty list. */
function nominations(connection: ConnectionOptions): readonly string[] {
  if (connection.nominated.length === 0) return connection.nominated;
  return connection.nominated.filter((name) => (notNominable & (1 << fieldIdOf(name))) === 0);
}
// #endregion header-rules

// #region passed-on
/**
 * The lines of `section` that pass, and the empty line after them.
 *
 * @param dropped Mask of the known fields that stop here.
 */
function passedOn(section: FieldSection, dropped: number, nominated: readonly string[]): string {
  const { text, count } = section;
  // None of the dropped fields occurs: everything passes in one piece.
  if ((section.seen & dropped) === 0 && nominated.length === 0) return text.slice(section.lineStart(0));
  let passed = "";
  let runStart = section.lineStart(0);
  for (let i = 0; i < count; i++) {
    const stops =
      (dropped & (1 << section.id(i))) !== 0 ||
      (nominated.length > 0 && nominated.includes(section.name(i).toLowerCase()));
    if (!stops) continue;
    const start = section.lineStart(i);
    if (start > runStart) passed += text.slice(runStart, start);
    runStart = section.lineStart(i + 1);
  }
  return passed + text.slice(runStart);
}
// #endregion passed-on

/**
 * The head to send to the cell: always HTTP/1.1 and origin form, the router's own lines first.
 *
 * @param own Lines that the router adds, each ended by CR LF.
 */
export function upstreamHead(head: RequestHead, own: string): string {
  const { fields } = head;
  const line = `${head.method} ${head.path} HTTP/1.1\r\n`;
  const coding = head.body.kind === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
  // One hop less, where the field counts.
  const left = head.maxForwards;
  const counted = left === undefined ? "" : `Max-Forwards: ${left - 1}\r\n`;
  const stops = hopByHop | ownedUpstream | (left === undefined ? 0 : maxForwards);
  return line + own + coding + counted + passedOn(fields, stops, nominations(head.connection));
}

// #region downstream-head
/** How the client's copy of a response's body is framed: with a length as it came, in chunks, or not at all. */
export type DownstreamFraming = "as-came" | "chunked" | "until-close";

/** HTTP/1.0 knows no chunks; for HTTP/1.1 they are what shows that a body without a length was not cut. */
export function downstreamFraming(body: ResponseBody, minorVersion: MinorVersion): DownstreamFraming {
  if (body.kind === "none" || body.kind === "length") return "as-came";
  return minorVersion === 1 ? "chunked" : "until-close";
}

/**
 * The head to send to the client: always HTTP/1.1, the router's own lines first.
 *
 * @param own Lines that the router adds, each ended by CR LF.
 */
export function downstreamHead(head: ResponseHead, framing: DownstreamFraming, own: string): string {
  const { fields, status, reasonStart, fieldsStart } = head;
  // Without a reason the space before it may be missing, and an HTTP/1.0 cell says so: neither is the client's business.
  const plain = head.minorVersion === 1 && reasonStart < fieldsStart - 2;
  const line = plain ? fields.text.slice(0, fieldsStart) : `HTTP/1.1 ${status} ${head.reason}\r\n`;
  const coding = framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
  // A length stops where it is not the framing; a 204 must not carry one (RFC 9110 §8.6).
  const unframed = framing !== "as-came" || status === 204 || status < 200 ? contentLength : 0;
  // Trailers can follow only where the client's copy is chunked, so elsewhere none are announced.
  const stops = hopByHop | ownedDownstream | unframed | (framing === "chunked" ? 0 : trailer);
  return line + own + coding + passedOn(fields, stops, nominations(head.connection));
}
// #endregion downstream-head

/**
 * The trailer lines that pass, each ended by CR LF, without the empty line.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
 */
export function passedTrailers(section: FieldSection, connection: ConnectionOptions): string {
  return passedOn(section, notInTrailers, nominations(connection)).slice(0, -2);
}

/** The list field's values so far, in order, with `value` as the last. */
export function appended(section: FieldSection, id: FieldId, value: string): string {
  if (!section.has(id)) return value;
  const values = section.valuesOf(id).filter((each) => each !== "");
  return values.length === 0 ? value : `${values.join(", ")}, ${value}`;
}
