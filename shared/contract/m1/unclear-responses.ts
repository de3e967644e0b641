// Responses that two readers could frame differently, or that are not HTTP. `why` is what the client would suffer from.

import type { RawResponse } from "../../testkit/http-message.ts";

export interface UnclearResponse {
  /** Completes "answers 502 to …". */
  readonly title: string;
  readonly why: string;
  readonly bytes: string;
  /** Another reading that is safe: what the client then got. */
  readonly orElse?: (response: RawResponse) => boolean;
}

const okBytes = (lines: readonly string[], body = "hello") =>
  `${["HTTP/1.1 200 OK", ...lines].join("\r\n")}\r\n\r\n${body}`;

const splitting =
  "A cache or client behind the router ends the response elsewhere, and the rest is taken for another one";
const chunkedHello = "5\r\nhello\r\n0\r\n\r\n";

export const unclearResponses: readonly UnclearResponse[] = [
  {
    title: "Content-Length with Transfer-Encoding",
    why: splitting,
    bytes: okBytes(["Content-Length: 3", "Transfer-Encoding: chunked"], chunkedHello),
    // RFC 9112 §6.3 lets a reader use the chunks, if it removes the length.
    orElse: (response) => response.text() === "hello" && response.headers.one("content-length") !== "3",
  },
  {
    title: "two differing lengths",
    why: splitting,
    bytes: okBytes(["Content-Length: 5", "Content-Length: 3"]),
  },
  { title: "a list of lengths", why: splitting, bytes: okBytes(["Content-Length: 5, 3"]) },
  { title: "a signed length", why: splitting, bytes: okBytes(["Content-Length: +5"]) },
  { title: "a length that is no number", why: splitting, bytes: okBytes(["Content-Length: five"]) },
  {
    title: "a coding besides chunked",
    why: "The client would get coded bytes and no word of the coding",
    bytes: okBytes(["Transfer-Encoding: gzip, chunked"], chunkedHello),
  },
  {
    title: "a coding that is not chunked",
    why: splitting,
    bytes: okBytes(["Transfer-Encoding: xchunked"], chunkedHello),
  },
  {
    title: "a chunk size that is no number",
    why: splitting,
    bytes: okBytes(["Transfer-Encoding: chunked"], "xyz\r\n"),
  },
  {
    title: "a signed chunk size",
    why: splitting,
    bytes: okBytes(["Transfer-Encoding: chunked"], "+5\r\nhello\r\n0\r\n\r\n"),
  },
  {
    title: "a chunk that is longer than its size",
    why: splitting,
    bytes: okBytes(["Transfer-Encoding: chunked"], "3\r\nhello\r\n0\r\n\r\n"),
  },
  {
    title: "a protocol switch that nobody asked for",
    why: "What follows would be relayed as no HTTP at all",
    bytes: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  },
  {
    title: "bytes that are not HTTP",
    why: "There is nothing to pass on",
    bytes: "SSH-2.0-OpenSSH_9.9\r\n\r\n",
  },
  {
    title: "a status line without a status",
    why: "There is nothing to pass on",
    bytes: "HTTP/1.1 OK\r\n\r\n",
  },
  { title: "a status of two digits", why: splitting, bytes: "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n" },
  {
    title: "a status of four digits",
    why: splitting,
    bytes: "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
  },
  { title: "a NUL in a field", why: splitting, bytes: okBytes(["X-A: 1\x002", "Content-Length: 5"]) },
  {
    title: "a bare CR in a field",
    why: "Response splitting",
    bytes: okBytes(["X-A: 1\rSet-Cookie: a=b", "Content-Length: 5"]),
  },
  {
    title: "a bare LF between fields",
    why: "Response splitting",
    bytes: okBytes(["X-A: 1\nX-B: 2", "Content-Length: 5"]),
    // Split at the LF and written anew with CRLF, it is clear again.
    orElse: ({ headers, bodyBytes }) =>
      bodyBytes === 5 && headers.one("x-a") === "1" && headers.one("x-b") === "2",
  },
  {
    title: "a space before the colon",
    why: splitting,
    bytes: okBytes(["X-A : 1", "Content-Length: 5"]),
    // RFC 9112 §5.1: a proxy removes that space from a response.
    orElse: ({ headers, bodyBytes }) => bodyBytes === 5 && headers.one("x-a") === "1",
  },
  {
    title: "a folded field",
    why: splitting,
    bytes: okBytes(["X-A: 1", " 2", "Content-Length: 5"]),
    // RFC 9112 §5.2: or it replaces the fold by spaces.
    orElse: ({ headers, bodyBytes }) => bodyBytes === 5 && /^1 +2$/.test(headers.one("x-a") ?? ""),
  },
  {
    title: "a head of 256 KiB",
    why: "It holds memory for nothing",
    bytes: okBytes([`X-Long: ${"x".repeat(262_144)}`, "Content-Length: 5"]),
  },
];
