// What a demo cell answers, by path: the echo that every unknown path gets, and bodies of a chosen shape to show
// what a proxy must carry. Faults and the control path are in `cell.ts`.

import { createHash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** The JSON that a cell answers with: who served the request and what arrived. */
export interface CellEcho {
  readonly cell: string;
  readonly method: string;
  readonly path: string;
  readonly httpVersion: string;
  /** Every header field as it arrived: order, case and repetitions kept. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[];
  /** The same by lower-case name, repetitions joined with a comma, on an object without prototype. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
  readonly bodySha256: string;
  readonly trailers: Readonly<Record<string, string>>;
}

function headerPairs(rawHeaders: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    pairs.push([rawHeaders[i] ?? "", rawHeaders[i + 1] ?? ""]);
  return pairs;
}

/** Without a prototype, a field called `__proto__` or `constructor` is a field like any other. */
function headerObject(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const object: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    const before = object[key];
    object[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return object;
}

/** Answers one request that meets no fault. Rejects when the client leaves before the end. */
export async function respondTo(cell: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  // Not by `URL`: of a target such as `//`, it makes an authority, and throws.
  const [path = "", query = ""] = (req.url ?? "/").split("?", 2);
  const search = new URLSearchParams(query);
  const [, first = "", second = ""] = path.split("/");
  switch (first) {
    case "bytes":
      return sendBytes(req, res, Number(second), search.has("chunked"));
    case "drip":
      return drip(req, res, search);
    case "echo":
      return echoBody(req, res);
    case "status":
      return sendStatus(req, res, Number(second));
    case "cookies":
      req.resume();
      res.writeHead(200, { "set-cookie": ["a=1; Path=/", "b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT"] });
      return void res.end("two cookies\n");
    case "trailers":
      req.resume();
      res.writeHead(200, { "content-type": "text/plain", trailer: "X-Body-Check" });
      res.write("the body comes first\n");
      res.addTrailers({ "X-Body-Check": "passed" });
      return void res.end();
    default:
      return echoJson(cell, req, res);
  }
}

/** Reads the body for its length and digest, holding one chunk at a time, then says what arrived. */
async function echoJson(cell: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const echo = JSON.stringify(await describeRequest(cell, req), null, 2);
  const body = Buffer.from(`${echo}\n`);
  res.writeHead(200, { "content-type": "application/json", "content-length": body.length, "x-cell": cell });
  res.end(body);
}

async function describeRequest(cell: string, req: IncomingMessage): Promise<CellEcho> {
  const digest = createHash("sha256");
  let bodyBytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    digest.update(chunk);
    bodyBytes += chunk.length;
  }
  const rawHeaders = headerPairs(req.rawHeaders);
  return {
    cell,
    method: req.method ?? "",
    path: req.url ?? "",
    httpVersion: req.httpVersion,
    rawHeaders,
    headers: headerObject(rawHeaders),
    bodyBytes,
    bodySha256: digest.digest("hex"),
    trailers: headerObject(headerPairs(req.rawTrailers)),
  };
}

const pattern = Buffer.alloc(65_536, "0123456789abcdef");

/** `/bytes/N`: N bytes of a fixed pattern, with `Content-Length`, or chunked with `?chunked`. */
async function sendBytes(
  req: IncomingMessage,
  res: ServerResponse,
  count: number,
  chunked: boolean,
): Promise<void> {
  req.resume();
  if (!Number.isSafeInteger(count) || count < 0) return refuse(res, "/bytes/N needs a whole number");
  res.writeHead(200, {
    "content-type": "application/octet-stream",
    ...(chunked ? {} : { "content-length": count }),
  });
  if (req.method === "HEAD") return void res.end();
  for (let sent = 0; sent < count; sent += pattern.length) {
    const piece = pattern.subarray(0, Math.min(pattern.length, count - sent));
    // `write` returns false when the reader is slower than we are: waiting keeps this process's memory flat.
    if (!res.write(piece)) await drained(res);
  }
  res.end();
}

/** `/drip?chunks=5&intervalMs=200&bytes=16`: the head at once, then a piece at each interval. */
async function drip(req: IncomingMessage, res: ServerResponse, query: URLSearchParams): Promise<void> {
  req.resume();
  const chunks = Number(query.get("chunks") ?? 5);
  const intervalMs = Number(query.get("intervalMs") ?? 200);
  const bytes = Number(query.get("bytes") ?? 16);
  if (![chunks, intervalMs, bytes].every((value) => value >= 0 && value <= 1_000_000)) {
    return refuse(res, "/drip takes chunks, intervalMs and bytes, each from 0 to 1000000");
  }
  const gone = new AbortController();
  res.once("close", () => gone.abort());
  res.writeHead(200, { "content-type": "text/plain" });
  res.flushHeaders();
  for (let n = 1; n <= chunks; n++) {
    await delay(intervalMs, undefined, { signal: gone.signal });
    if (!res.write(`${`chunk ${n} `.padEnd(Math.max(bytes - 1, 0), ".")}\n`)) await drained(res);
  }
  res.end();
}

/** `/echo`: the request body comes back as it arrives. */
async function echoBody(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const type = req.headers["content-type"];
  res.writeHead(200, { "content-type": type ?? "application/octet-stream" });
  res.flushHeaders();
  for await (const chunk of req as AsyncIterable<Buffer>) {
    if (!res.write(chunk)) await drained(res);
  }
  res.end();
}

/** `/status/N`: that status, with a body where the status may have one. */
function sendStatus(req: IncomingMessage, res: ServerResponse, status: number): void {
  req.resume();
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    refuse(res, "/status/N needs 200 to 599");
    return;
  }
  res.writeHead(status, { "content-type": "text/plain" });
  res.end(status === 204 || status === 304 ? undefined : `status ${status}\n`);
}

function refuse(res: ServerResponse, why: string): void {
  res.writeHead(400, { "content-type": "text/plain" });
  res.end(`${why}\n`);
}

async function drained(res: ServerResponse): Promise<void> {
  if (res.destroyed) throw new Error("The client left");
  const gone = new AbortController();
  const leave = () => gone.abort();
  res.once("close", leave);
  try {
    await once(res, "drain", { signal: gone.signal });
  } finally {
    res.off("close", leave);
  }
}
