// Frames HTTP/1.1 messages by the letter of RFC 9112, apart from any HTTP library: what judges a proxy must not
// share its parser. It refuses everything that two readers could understand differently.

import { type ByteReader, type ConnectionEnd, EndOfBytes, excerpt } from "./byte-reader.ts";

/** Bytes that are not an HTTP/1.1 message, or that two readers could frame differently. */
export class NotHttp extends Error {
  override readonly name = "NotHttp";
}

/** Header fields in order, with their case and repetitions. Values are Latin-1 text: one char a byte. */
export class HeaderFields {
  readonly pairs: readonly (readonly [name: string, value: string])[];

  constructor(pairs: readonly (readonly [string, string])[]) {
    this.pairs = pairs;
  }

  /** Every value of a field, in order. */
  all(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.pairs.filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** The only value of a field; undefined where there is none. @throws Error where it is repeated */
  one(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`${name} is there ${values.length} times: ${values.join(" | ")}`);
    return values[0];
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  /** Lower-case names in order. */
  names(): string[] {
    return this.pairs.map(([name]) => name.toLowerCase());
  }
}

/**
 * How a message ended. `complete`: by its own framing. `until-close`: its length was "until the connection closes" and
 * it closed in order. `truncated`: the connection ended too early, or was reset.
 */
export type MessageEnding = "complete" | "until-close" | "truncated";

interface Message {
  readonly headers: HeaderFields;
  readonly trailers: HeaderFields;
  /** Empty where the body was not kept (`onBody`). */
  readonly body: Buffer;
  readonly bodyBytes: number;
  readonly framing: "none" | "length" | "chunked" | "until-close";
  readonly ending: MessageEnding;
}

export interface RawResponse extends Message {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** 1xx answers that came first. */
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

export interface ReadBodyOptions {
  /** Takes each piece of the body instead of keeping it. Awaited: a slow one makes a slow reader. */
  readonly onBody?: (piece: Buffer) => void | Promise<void>;
}

const noFields = new HeaderFields([]);
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Splits a head into its start line and fields. @throws NotHttp */
function parseHead(head: Buffer): { startLine: string; headers: HeaderFields } {
  const [startLine = "", ...lines] = head.toString("latin1", 0, head.length - 4).split("\r\n");
  return { startLine, headers: parseFields(lines) };
}

function parseFields(lines: readonly string[]): HeaderFields {
  return new HeaderFields(
    lines.map((line) => {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon);
      const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
      if (colon < 1 || !token.test(name)) throw new NotHttp(`Not a header field: ${JSON.stringify(line)}`);
      if (!fieldValue.test(value)) throw new NotHttp(`Not a header value: ${JSON.stringify(line)}`);
      return [name, value] as const;
    }),
  );
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
  const match = /^(HTTP\/1\.[01]) ([1-5][0-9][0-9]) ?(.*)$/.exec(startLine);
  if (match === null) throw new NotHttp(`Not a status line: ${JSON.stringify(startLine)}`);
  const [, version = "", status = "", reason = ""] = match;
  return { version, status: Number(status), reason, headers };
}

/**
 * Reads a response head (after any 1xx) and its body.
 *
 * @param method Of the request: the answer to HEAD has no body whatever its fields say (RFC 9112 §6.3).
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

async function readBody(
  reader: ByteReader,
  headers: HeaderFields,
  framing: number | "chunked" | "until-close",
  options: ReadBodyOptions,
): Promise<Message> {
  const kept: Buffer[] = [];
  let bodyBytes = 0;
  const take = async (piece: Buffer) => {
    bodyBytes += piece.length;
    if (options.onBody === undefined) kept.push(piece);
    else await options.onBody(piece);
  };
  const message = (ending: MessageEnding, trailers: HeaderFields = noFields): Message => ({
    headers,
    trailers,
    body: Buffer.concat(kept),
    bodyBytes,
    framing: framing === 0 ? "none" : typeof framing === "number" ? "length" : framing,
    ending,
  });
  try {
    if (framing === "until-close") {
      const end = await readUntilClose(reader, take);
      return message(end === "closed" ? "until-close" : "truncated");
    }
    if (framing === "chunked") return message("complete", await readChunks(reader, take));
    await readPieces(reader, framing, take);
    return message("complete");
  } catch (error) {
    if (error instanceof EndOfBytes) return message("truncated");
    throw error;
  }
}

type Take = (piece: Buffer) => Promise<void>;

async function readPieces(reader: ByteReader, count: number, take: Take): Promise<void> {
  for (let left = count; left > 0; ) {
    const piece = await reader.upTo(left);
    if (piece === undefined) throw new EndOfBytes(reader.end ?? "closed", Buffer.alloc(0));
    left -= piece.length;
    await take(piece);
  }
}

async function readUntilClose(reader: ByteReader, take: Take): Promise<ConnectionEnd> {
  for (;;) {
    const piece = await reader.chunk();
    if (piece === undefined) return reader.end ?? "closed";
    await take(piece);
  }
}

/** RFC 9112 §7.1, without chunk extensions: a proxy that re-frames has none to send. */
async function readChunks(reader: ByteReader, take: Take): Promise<HeaderFields> {
  for (;;) {
    const line = (await reader.through("\r\n", 1024)).toString("latin1").slice(0, -2);
    if (!/^[0-9A-Fa-f]{1,12}$/.test(line)) throw new NotHttp(`Not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    if (size === 0) return readTrailers(reader);
    await readPieces(reader, size, take);
    const after = await reader.exactly(2);
    if (after.toString("latin1") !== "\r\n")
      throw new NotHttp(`After a chunk: ${JSON.stringify(excerpt(after))}`);
  }
}

async function readTrailers(reader: ByteReader): Promise<HeaderFields> {
  const lines: string[] = [];
  for (;;) {
    const line = (await reader.through("\r\n")).toString("latin1").slice(0, -2);
    if (line === "") return parseFields(lines);
    lines.push(line);
  }
}
