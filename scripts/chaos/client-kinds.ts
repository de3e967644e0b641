// The kinds of hostile clients: what each of them writes on its connection. Where the stream is cut and how the connection
// ends is decided for all of them alike in `plan.ts`.

import { bodyAttacks, headAttacks } from "../../shared/contract/m1/smuggling-attacks.ts";
import { requestBytes } from "../../shared/contract/messages.ts";
import type { Random } from "../../shared/fuzz/random.ts";
import type { RequestParts, RequestWriter } from "./requests.ts";

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

const total = Object.values(kinds).reduce((sum, [weight]) => sum + weight, 0);

export function pickKind(random: Random): ClientKind {
  let at = random.below(total);
  for (const kind of clientKinds) {
    at -= kinds[kind][0];
    if (at < 0) return kind;
  }
  return "one-request";
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

/** The attacks of the contract: what a router must refuse, and a decoy behind it. */
function unclearFraming(writer: RequestWriter): void {
  const { random } = writer;
  for (let left = random.pick([0, 0, 1, 2]); left > 0; left--) writer.any();
  const isHead = random.chance(60);
  const attack = random.pick(isHead ? headAttacks : bodyAttacks);
  const tag = writer.tag("request");
  const decoy = writer.tag("decoy");
  const path = (rest = "") => (rest === "" ? `/${tag}` : `/${decoy}`);
  const text = attack.bytes({
    path,
    request: (parts = {}) => requestBytes({ ...parts, target: parts.target ?? path() }),
  });
  writer.raw(text);
  const method = /^[A-Z]+/.exec(text)?.[0] ?? "";
  writer.requests.push({ tag, method, key: "acme", reach: isHead ? "none" : "part", body: undefined });
}

/** Good requests with one to four bytes or pieces changed. What they say then is anybody's guess, so they hold no decoy. */
function damaged(writer: RequestWriter): void {
  const { random } = writer;
  for (let left = 1 + random.below(3); left > 0; left--) {
    const hasBody = random.chance(50);
    const body = { text: "d".repeat(1 + random.below(80)), times: 1 };
    const framing = random.chance(60) ? ("chunked" as const) : ("length" as const);
    writer.write({
      method: hasBody ? "POST" : "GET",
      fields: random.chance(50)
        ? [random.pick(["Connection: keep-alive", "A: b", "TE: trailers", "Upgrade: x"])]
        : [],
      isDamaged: true,
      ...(hasBody ? { body, framing } : {}),
    });
  }
  const whole = writer.pieces.map(({ text }) => text).join("");
  writer.pieces.length = 0;
  const tags = writer.requests.map(({ tag }) => tag);
  let text = whole;
  for (let left = 1 + random.below(4); left > 0; left--) {
    const changed = change(random, text);
    // A damaged tag would be one that nobody knows.
    if (tags.every((tag) => changed.includes(tag)) && !changed.includes("\r\n\r\n/c")) text = changed;
  }
  writer.raw(text);
}

const bytes = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "0",
  "\x7f",
  "\xff",
  "\v",
  "a",
  "\xa0",
  '"',
  "{",
  "#",
];
const words = [
  "\r\n\r\n",
  "chunked",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: close\r\n",
];

function change(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  switch (random.below(5)) {
    case 0:
      return before + random.pick(bytes) + after;
    case 1:
      return before + after.slice(1 + random.below(4));
    case 2:
      return before + random.pick(bytes) + after.slice(1);
    case 3:
      return before + random.pick(words) + after;
    default:
      return before + String.fromCharCode(random.below(256)) + after.slice(1);
  }
}

function hugeHead(writer: RequestWriter): void {
  const { random } = writer;
  if (random.chance(30)) writer.any();
  const bytesLong = random.pick([7_000, 15_000, 16_300, 20_000, 70_000, 400_000]);
  const huge = random.pick<RequestParts>([
    { fields: [`X-Long: ${"x".repeat(bytesLong)}`] },
    { fields: Array<string>(Math.floor(bytesLong / 6)).fill("a: b") },
    { target: (path) => `${path}/${"t".repeat(bytesLong)}` },
    { fields: [`Cookie: ${"c=d; ".repeat(Math.floor(bytesLong / 5))}`] },
    { key: "k".repeat(bytesLong) },
  ]);
  writer.any({ ...huge, isDamaged: true, reach: "whole" });
  if (random.chance(40)) writer.any();
}

function garbage(writer: RequestWriter): void {
  const { random } = writer;
  if (random.chance(25)) writer.any();
  const noise = () =>
    Array.from({ length: 1 + random.below(300) }, () => String.fromCharCode(random.below(256))).join("");
  writer.raw(
    random.pick([
      noise(),
      `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${noise()}`,
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
      "SSH-2.0-OpenSSH_9.9\r\n",
      "\r\n".repeat(1 + random.below(2000)),
      "GET ",
      "G".repeat(100_000),
      `GET / HTTP/1.1\r\n${"\r".repeat(500)}`,
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "\0".repeat(random.below(100)),
    ]),
  );
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
