// Frames HTTP/1.1 messages by the letter of RFC 9112, apart from any HTTP library: what judges a proxy must not
// share its parser. It refuses everything that two readers could understand differently.

import type { ByteReader } from "./byte-reader.ts";
import { type HeaderFields, NotHttp, parseFields, token } from "./header-fields.ts";
import { type Message, type ReadBodyOptions, readBody } from "./message-body.ts";

export interface RawResponse extends Message {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** 1xx responses that came first. */
  readonly interim: readonly ResponseHead[];
  /** The body as UTF-8. */
  text(): string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

export interface RawRequest extends Message {
  readonly method: string;
  readonly target: string;
  readonly version: string;
}

export interface ResponseHead {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderFields;
}

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: HeaderFields;
}

/** Splits a head into its start line and fields. @throws NotHttp */
function parseHead(head: Buffer): { startLine: string; headers: HeaderFields } {
  const [startLine = "", ...lines] = head.toString("latin1", 0, head.length - 4).split("\r\n");
  return { startLine, headers: parseFields(lines) };
}

/** @throws NotHttp where the fields allow two readings (RFC 9112 §6.3). */
function framingOf(headers: HeaderFields): number | "chunked" | undefined {
  const codings = headers.all("transfer-encoding");
  const lengths = headers.all("content-length");
  if (codings.length > 0 && lengths.length > 0)
    throw new NotHttp("Transfer-Encoding and Content-Length together");
  if (codings.length > 1 || lengths.length > 1) throw new NotHttp("A framing field is repeated");
  if (codings.length === 1) {
    if (codings[0]?.toLowerCase() !== "chunked") throw new NotHttp(`Transfer-Encoding: ${codings[0]}`);
    return "chunked";
  }
  if (lengths.length === 0) return undefined;
  if (!/^[0-9]{1,15}$/.test(lengths[0] ?? "")) throw new NotHttp(`Content-Length: ${lengths[0]}`);
  return Number(lengths[0]);
}

/** Reads one request head. @throws NotHttp, EndOfBytes (with nothing partial when the connection ended between messages) */
export async function readRequestHead(reader: ByteReader): Promise<RequestHead> {
  const { startLine, headers } = parseHead(await reader.through("\r\n\r\n"));
  const match = /^([^ ]+) ([^ ]+) (HTTP\/1\.[01])$/.exec(startLine);
  const [, method = "", target = "", version = ""] = match ?? [];
  if (!token.test(method)) throw new NotHttp(`Not a request line: ${JSON.stringify(startLine)}`);
  return { method, target, version, headers };
}

/** Reads the body that belongs to a request head. */
export async function readRequestBody(
  reader: ByteReader,
  head: RequestHead,
  options: ReadBodyOptions = {},
): Promise<RawRequest> {
  return { ...head, ...(await readBody(reader, head.headers, framingOf(head.headers) ?? 0, options)) };
}

/** Reads one response head, 1xx included. @throws NotHttp, EndOfBytes */
export async function readResponseHead(reader: ByteReader): Promise<ResponseHead> {
  const { startLine, headers } = parseHead(await reader.through("\r\n\r\n"));
  const match = /^(HTTP\/1\.[01]) ([1-5][0-9][0-9])(?: (.*))?$/.exec(startLine);
  if (match === null) throw new NotHttp(`Not a status line: ${JSON.stringify(startLine)}`);
  const [, version = "", status = "", reason = ""] = match;
  return { version, status: Number(status), reason, headers };
}

/**
 * Reads a response head (after any 1xx) and its body.
 *
 * @param method Of the request: the response to HEAD has no body whatever its fields say (RFC 9112 §6.3).
 */
export async function readResponse(
  reader: ByteReader,
  method: string,
  options: ReadBodyOptions = {},
): Promise<RawResponse> {
  const interim: ResponseHead[] = [];
  let head = await readResponseHead(reader);
  for (; head.status < 200 && head.status !== 101; head = await readResponseHead(reader)) interim.push(head);
  return readResponseBody(reader, head, method, options, interim);
}

/** Reads the body that belongs to a final response head. */
export async function readResponseBody(
  reader: ByteReader,
  head: ResponseHead,
  method: string,
  options: ReadBodyOptions = {},
  interim: readonly ResponseHead[] = [],
): Promise<RawResponse> {
  const bodiless = method === "HEAD" || head.status === 204 || head.status === 304 || head.status === 101;
  const framing = framingOf(head.headers);
  if (head.status === 204 && framing !== undefined) throw new NotHttp("A 204 with a framing field");
  const message = await readBody(reader, head.headers, bodiless ? 0 : (framing ?? "until-close"), options);
  const text = () => message.body.toString("utf8");
  return { ...head, ...message, interim, text, json: () => JSON.parse(text()) as Record<string, unknown> };
}
