// The good response to a request: for hostile clients bytes that carry their tag all the way, for clean ones what the demo
// cell would say, so that one judge serves gameday and chaos. What a hostile cell makes of it is in `cell-behaviours.ts`.

import { hash } from "node:crypto";
import type { RawRequest, RequestHead } from "../../shared/testkit/http-message.ts";
import type { Piece } from "./delivery.ts";
import { chunk } from "./requests.ts";
import { numberOf } from "./tags.ts";

/** A good response, in parts that can be framed one way or another. */
export interface GoodResponse {
  readonly status: string;
  readonly fields: readonly string[];
  readonly body: readonly Piece[];
  /** Framed by its length, in chunks, or by the end of the connection. */
  readonly framing: "length" | "chunked" | "until-close" | "none";
  readonly waitMs: number;
}

const framings = ["length", "chunked", "chunked", "until-close"] as const;
/** The length of a line of a body: a foreign byte anywhere shows by the tag of its line. */
const lineBytes = 1_024;

/** For a hostile client's request: `/TAG/b900/w20` asks for 900 bytes after 20 ms. */
export function taggedResponse(tag: string, { method, target }: RequestHead): GoodResponse {
  const bytes = Math.min(Number(/\/b(\d{1,8})/.exec(target)?.[1] ?? 60), 8_000_000);
  const waitMs = Math.min(Number(/\/w(\d{1,4})/.exec(target)?.[1] ?? 0), 2_000);
  const number = numberOf(tag);
  const isBodiless = method === "HEAD" || number % 16 === 0;
  const status =
    isBodiless && method !== "HEAD" ? (number % 32 === 0 ? "204 No Content" : "304 Not Modified") : "200 OK";
  const framing = isBodiless ? "none" : (framings[number % framings.length] ?? "length");
  return {
    status,
    fields: [`X-Chaos: ${tag}`],
    body: isBodiless ? [] : taggedBody(tag, bytes),
    framing,
    waitMs,
  };
}

function taggedBody(tag: string, bytes: number): Piece[] {
  const line = `${tag} `.padEnd(lineBytes - 1, ".").concat("\n");
  const lines = Math.floor(bytes / lineBytes);
  const rest = { text: line.slice(0, bytes % lineBytes), times: 1 };
  return lines === 0 ? [rest] : [{ text: line, times: lines }, rest];
}

/** For a clean client's request, in the words of the demo cell: `/bytes/N`, `/drip`, `/echo`, else an account of it. */
export function demoResponse(cell: string, id: string, request: RawRequest): GoodResponse {
  const fields = [`X-Cell: ${cell}`];
  const framing = framings[numberOf(id) % framings.length] ?? "length";
  const respond = (text: string): GoodResponse => ({
    status: "200 OK",
    fields,
    body: [{ text, times: 1 }],
    framing,
    waitMs: 0,
  });
  const [, first = "", second = ""] = request.target.split(/[/?]/);
  if (first === "bytes")
    return respond("0123456789abcdef".repeat(Math.ceil(Number(second) / 16)).slice(0, Number(second)));
  if (first === "drip") return respond([1, 2, 3].map((n) => `${`chunk ${n} `.padEnd(15, ".")}\n`).join(""));
  if (first === "echo") return respond(request.body.toString("latin1"));
  const headers = Object.fromEntries(
    request.headers.pairs.map(([name, value]) => [name.toLowerCase(), value]),
  );
  const bodySha256 = hash("sha256", request.body);
  return respond(JSON.stringify({ cell, method: request.method, path: request.target, bodySha256, headers }));
}

/** Its bytes. */
export function framed({ status, fields, body, framing }: GoodResponse): Piece[] {
  const length = body.reduce((sum, { text, times }) => sum + text.length * times, 0);
  const frame = {
    length: [`Content-Length: ${length}`],
    chunked: ["Transfer-Encoding: chunked"],
    "until-close": [],
    none: [],
  };
  const head = {
    text: `${[`HTTP/1.1 ${status}`, ...fields, ...frame[framing]].join("\r\n")}\r\n\r\n`,
    times: 1,
  };
  if (framing === "none") return [head];
  // An empty piece would be sent after the response has ended.
  const pieces = body.filter(({ text, times }) => text !== "" && times > 0);
  if (framing !== "chunked") return [head, ...pieces];
  const chunks = pieces.map(({ text, times }) => ({ text: chunk(text), times }));
  return [head, ...chunks, { text: "0\r\n\r\n", times: 1 }];
}

export function joined(pieces: readonly Piece[]): string {
  return pieces.map(({ text, times }) => text.repeat(times)).join("");
}
