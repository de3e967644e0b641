// What must hold before a request may be routed: unambiguous framing, one host, a target that can be passed on,
// one routing key. Pure; it reads the raw header list, because a merged one hides exactly the repetitions that matter.

import type { ErrorCode } from "./errors.ts";
import { ownedUpstream, type RawHeaders, valuesOf } from "./headers.ts";
import { maxRoutingKeyBytes } from "./routing-table.ts";

export interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly rawHeaders: RawHeaders;
}

/** The parts of a request that routing and forwarding need, checked. */
export interface RequestHead {
  readonly method: string;
  /** Path and query in origin form. */
  readonly path: string;
  readonly host: string | undefined;
  readonly httpVersion: string;
  /** The fields to pass on, before the rules for fields of each hop are applied. */
  readonly rawHeaders: RawHeaders;
  /** The key as text, for the look-up and the log. */
  readonly routingKey: string;
  /** The key's bytes as they came, for the cell. */
  readonly rawRoutingKey: string;
  readonly hasBody: boolean;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** An `OPTIONS` that may go no further than this router. */
  readonly endsHere: boolean;
}

export type RequestHeadResult =
  | { readonly ok: true; readonly head: RequestHead }
  | { readonly ok: false; readonly code: ErrorCode };

// #region read-request-head
export function readRequestHead(request: RawRequest): RequestHeadResult {
  const { method, httpVersion, rawHeaders } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return refused("version-not-supported");
  if (method === "TRACE") return refused("method-not-allowed");

  const codings = valuesOf(rawHeaders, "transfer-encoding");
  if (codings.length > 0) {
    // An HTTP/1.0 message with a transfer coding came through something that did not understand the field: its framing
    // is faulty. https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    if (httpVersion !== "1.1") return refused("malformed-request");
    if (codings.length > 1 || codings[0]?.toLowerCase() !== "chunked") {
      // Unless chunked comes last, nobody can tell where the body ends: 400 and not 501.
      // https://www.rfc-editor.org/rfc/rfc9112#section-6.3
      const endIsKnown = /(^|,)[ \t]*chunked$/i.test(codings.at(-1) ?? "");
      return refused(endIsKnown ? "transfer-coding-not-supported" : "malformed-request");
    }
  }

  const expectations = readExpectations(request);
  if (expectations.some((each) => each !== "100-continue")) return refused("expectation-failed");

  const target = readTarget(request);
  if (!target.ok) return target;

  const routingKeys = new Set(valuesOf(rawHeaders, "x-routing-key"));
  if (routingKeys.size > 1) return refused("ambiguous-routing-key");
  const [rawRoutingKey = ""] = routingKeys;
  if (rawRoutingKey === "") return refused("missing-routing-key");
  if (rawRoutingKey.length > maxRoutingKeyBytes) return refused("routing-key-too-long");

  const lengths = valuesOf(rawHeaders, "content-length");
  const hopsLeft = readMaxForwards(request);
  return {
    ok: true,
    head: {
      method,
      path: target.path,
      host: target.host,
      httpVersion,
      rawHeaders: fieldsToPass(rawHeaders, hopsLeft),
      routingKey: decodeUtf8(rawRoutingKey),
      rawRoutingKey,
      hasBody: codings.length > 0 || lengths.some((length) => Number(length) > 0),
      expectsContinue: expectations.length > 0,
      endsHere: hopsLeft === 0,
    },
  };
}
// #endregion read-request-head

/**
 * What the client expects, in lower case. An HTTP/1.0 client cannot expect anything.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
 */
function readExpectations({ httpVersion, rawHeaders }: RawRequest): string[] {
  if (httpVersion === "1.0") return [];
  const members = valuesOf(rawHeaders, "expect").flatMap((value) => value.split(","));
  return members.map((member) => member.trim().toLowerCase()).filter((member) => member !== "");
}

/**
 * How many hops an `OPTIONS` may still go, this router included; undefined for no limit.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2
 */
function readMaxForwards({ method, rawHeaders }: RawRequest): number | undefined {
  if (method !== "OPTIONS") return undefined;
  const [value = "", ...others] = valuesOf(rawHeaders, "max-forwards");
  return others.length === 0 && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

/**
 * Drops fields that a CGI or WSGI cell could not tell from the router's own: `X_Routing_Key` and `X-Routing-Key` both reach its
 * program as HTTP_X_ROUTING_KEY. Counts this hop off `Max-Forwards`. Returns the list itself if nothing changes.
 */
function fieldsToPass(raw: RawHeaders, hopsLeft: number | undefined): RawHeaders {
  const isPlain = raw.every((text, i) => i % 2 === 1 || !text.includes("_"));
  if (isPlain && hopsLeft === undefined) return raw;
  const passed: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (lower.includes("_") && ownedUpstream.has(lower.replaceAll("_", "-"))) continue;
    const counts = hopsLeft !== undefined && lower === "max-forwards";
    passed.push(name, counts ? String(hopsLeft - 1) : (raw[i + 1] as string));
  }
  return passed;
}

/** Host and port. No comma: a list of hosts is not a host. https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2 */
const hostBytes = /^[-._~%!$&'()*+;=:[\]0-9A-Za-z]*$/;

type TargetResult = { ok: true; path: string; host: string | undefined } | { ok: false; code: ErrorCode };

/**
 * Brings the target to origin form and finds the host that the client asked for. In absolute form the target's
 * authority is that host, whatever the `Host` field says.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
 */
function readTarget({ method, target, httpVersion, rawHeaders }: RawRequest): TargetResult {
  const hosts = valuesOf(rawHeaders, "host");
  // https://www.rfc-editor.org/rfc/rfc9112#section-3.2: none in HTTP/1.1, or more than one, is an error.
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion === "1.1")) return refused("ambiguous-host");
  if (hosts[0] !== undefined && !hostBytes.test(hosts[0])) return refused("ambiguous-host");
  // A client keeps the fragment to itself. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1
  if (target.includes("#")) return refused("unsupported-target");
  if (target.startsWith("/")) return { ok: true, path: target, host: hosts[0] };
  if (target === "*") return refused("target-not-supported");

  const [, authority = "", rest = ""] = /^https?:\/\/([^/?]+)([/?].*)?$/i.exec(target) ?? [];
  if (authority === "" || !hostBytes.test(authority)) return refused("unsupported-target");
  // Without a path, it asks about the server as a whole. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.4
  if (method === "OPTIONS" && rest === "") return refused("target-not-supported");
  return { ok: true, path: rest.startsWith("/") ? rest : `/${rest}`, host: authority };
}

/**
 * Reads header bytes, which arrive as one Latin-1 character each, as the UTF-8 text that clients mean. Bytes that are
 * not UTF-8 become U+FFFD: the key is then one that no table lists, and so goes to the default placement.
 */
function decodeUtf8(bytes: string): string {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes.charCodeAt(i) > 0x7f) return Buffer.from(bytes, "latin1").toString("utf8");
  }
  return bytes;
}

function refused(code: ErrorCode): { readonly ok: false; readonly code: ErrorCode } {
  return { ok: false, code };
}
