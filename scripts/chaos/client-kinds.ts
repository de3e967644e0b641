// The kinds of hostile clients: what each of them writes on its connection. Where the stream is cut and how the connection
// ends is decided for all of them alike in `plan.ts`.

import type { Random } from "../../shared/fuzz/random.ts";
import { damaged, garbage, hugeHead, unclearFraming } from "./malformed-clients.ts";
import type { RequestParts, RequestWriter } from "./requests.ts";
import { weighted } from "./weighted.ts";

type Kind = (writer: RequestWriter) => void;

/** By name, with how often each comes up. */
const kinds = {
  "one-request": [10, (writer) => writer.any()],
  pipeline: [14, pipeline],
  upload: [8, upload],
  connect: [8, connect],
  upgrade: [9, upgrade],
  expect: [7, expect],
  "odd-target": [4, oddTarget],
  "unclear-framing": [9, unclearFraming],
  damaged: [10, damaged],
  "huge-head": [3, hugeHead],
  garbage: [5, garbage],
  silent: [2, silent],
  download: [
    5,
    (writer) => writer.any({ method: "GET", rest: `/b${100_000 + writer.random.below(3_000_000)}` }),
  ],
  admin: [6, admin],
} as const satisfies Record<string, readonly [number, Kind]>;

export type ClientKind = keyof typeof kinds;

export const clientKinds = Object.keys(kinds) as ClientKind[];

const weights = Object.fromEntries(clientKinds.map((kind) => [kind, kinds[kind][0]])) as Record<
  ClientKind,
  number
>;

export function pickKind(random: Random): ClientKind {
  return weighted(random, weights);
}

export function writeKind(kind: ClientKind, writer: RequestWriter): void {
  kinds[kind][1](writer);
}

/** Two to nine requests at once, safe and unsafe ones, with and without bodies. */
function pipeline(writer: RequestWriter): void {
  for (let left = 2 + writer.random.below(8); left > 0; left--) writer.any();
}

function upload(writer: RequestWriter): void {
  const { random } = writer;
  const method = random.pick(["POST", "PUT", "PATCH"]);
  writer.any({ method, body: writer.body(), framing: random.chance(50) ? "chunked" : "length" });
  if (random.chance(40)) writer.any();
}

/** RFC 9110 §9.3.6: a tunnel that no router here opens. What follows it is nobody's request. */
function connect(writer: RequestWriter): void {
  const { random } = writer;
  for (let left = random.pick([0, 0, 1, 2]); left > 0; left--) writer.any();
  const body = random.chance(25) ? writer.body() : undefined;
  writer.write({
    method: "CONNECT",
    target: (path) =>
      random.pick(["cells.test:443", "cells.test:80", "127.0.0.1:1", "[::1]:1", "*", "cells.test", path]),
    reach: "none",
    ...(body === undefined ? {} : { body, framing: random.chance(50) ? "chunked" : "length" }),
    ...(random.chance(20)
      ? { fields: [random.pick(["Upgrade: x", "Expect: 100-continue", "Connection: close"])] }
      : {}),
  });
  if (random.chance(50))
    writer.raw(random.pick([writer.decoy(), "\x16\x03\x01\x02\x00\x01", "x".repeat(5000)]));
}

/** RFC 9110 §7.8: an upgrade that is ignored changes nothing about the connection. */
function upgrade(writer: RequestWriter): void {
  const { random } = writer;
  const protocol = random.pick(["websocket", "h2c", "TLS/1.0", "x", "websocket, h2c"]);
  const fields = [
    random.pick([
      "Connection: Upgrade",
      "Connection: upgrade, keep-alive",
      "Connection: Upgrade, HTTP2-Settings",
    ]),
    `Upgrade: ${protocol}`,
    ...(random.chance(40)
      ? ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
      : []),
  ];
  for (let left = random.pick([0, 0, 1]); left > 0; left--) writer.any();
  const body = random.chance(50) ? writer.body() : undefined;
  writer.any({
    method: random.pick(["GET", "GET", "POST", "PUT", "OPTIONS"]),
    version: "1.1",
    fields,
    ...(body === undefined ? {} : { body, framing: random.chance(50) ? "chunked" : "length" }),
  });
  for (let left = random.below(4); left > 0; left--)
    writer.any(random.chance(30) ? { fields, version: "1.1" } : {});
  if (random.chance(15)) writer.raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
}

/** RFC 9110 §10.1.1. The client sends its body at once, or never. */
function expect(writer: RequestWriter): void {
  const { random } = writer;
  if (random.chance(30)) writer.any();
  const expectation = random.pick([
    "100-continue",
    "100-continue",
    "100-Continue",
    "a-miracle",
    "100-continue, x",
    "",
  ]);
  const framing = random.chance(50) ? ("chunked" as const) : ("length" as const);
  writer.any({
    method: "POST",
    version: "1.1",
    fields: [`Expect: ${expectation}`],
    body: writer.body(),
    framing,
  });
  if (random.chance(40)) writer.any();
}

function oddTarget(writer: RequestWriter): void {
  const { random } = writer;
  const odd = random.pick<RequestParts>([
    { method: "OPTIONS", target: () => "*" },
    { method: "OPTIONS", target: () => "*", fields: ["Max-Forwards: 0"] },
    { method: "OPTIONS", target: () => "http://cells.test" },
    { target: (path) => `http://cells.test${path}` },
    { target: (path) => `http://user@cells.test:81${path}?a=b` },
    { target: (path) => `/${path}` },
    { target: (path) => `${path}/%00%zz/../..` },
    { target: (path) => `${path}?${"q".repeat(6000)}` },
    { target: (path) => `${path}#fragment` },
    { target: (path) => `https://cells.test${path}` },
  ]);
  // Some of them are refused, others are served: both are safe.
  writer.any({ ...odd, isDamaged: true });
  if (random.chance(40)) writer.any();
}

function silent(writer: RequestWriter): void {
  if (writer.random.chance(30)) writer.raw("\r\n");
}

/** On the port for operators: nothing of it concerns a cell. */
function admin(writer: RequestWriter): void {
  const { random } = writer;
  for (let left = 1 + random.below(3); left > 0; left--) {
    const path = random.pick([
      "/healthz",
      "/readyz",
      "/debug/config",
      "/metrics",
      "/events",
      "/events",
      "/",
      "/x",
      "*",
    ]);
    const method = random.pick(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "CONNECT", "TRACE", "PURGE"]);
    const fields = random.pick([
      "",
      "",
      "Upgrade: websocket\r\nConnection: Upgrade\r\n",
      "Expect: 100-continue\r\n",
      "Expect: x\r\n",
    ]);
    const hasBody = random.chance(20);
    const framing = hasBody
      ? random.pick(["Content-Length: 50\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: x\r\n"])
      : "";
    writer.raw(
      `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}${framing}\r\n${hasBody ? "5\r\nhello\r\n" : ""}`,
    );
  }
  if (random.chance(10)) writer.raw("x".repeat(30_000));
}
