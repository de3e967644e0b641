// Makes messages by grammar, then damages them where parsers have been known to disagree: a fuzzer that only flips bits
// seldom gets past the first line.

import type { Random } from "./random.ts";

// #region alphabet
const methods = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "get", "CONNECT", "PURGE"];
const targets = [
  "/",
  "/a",
  "/a?b=c&d",
  "*",
  "http://b/x",
  "http://b",
  "HTTP://b:80?q",
  "a:443",
  "/%00",
  "//x",
  "/a#b",
  '/"<>',
];
const versions = [
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/0.9",
  "HTTP/2.0",
  "http/1.1",
  "HTTP/1.1 ",
];
const statusLines = [
  "200 OK",
  "200 OK",
  "200 ",
  "200",
  "404 Not Found",
  "204 No Content",
  "304 X",
  "100 Continue",
  "103 Y",
  "101 Z",
  "999 ?",
  "099 x",
  "20 x",
  "200  OK",
];
const lengths = [
  "0",
  "1",
  "5",
  "05",
  "+5",
  "-1",
  "5, 5",
  "5,6",
  "5 5",
  " 5",
  "5\t",
  "0x5",
  "5.0",
  "5e0",
  "",
  "\xa05",
  "99999999999999999999",
  "18446744073709551621",
  "4294967301",
  "5;",
  "\v5",
  "５",
];
const codings = [
  "chunked",
  "chunked",
  "Chunked",
  "CHUNKED",
  "chunked ",
  "\tchunked",
  "\vchunked",
  "xchunked",
  "chunkedx",
  "chunked, chunked",
  "gzip, chunked",
  "chunked, gzip",
  "identity",
  "gzip",
  "",
  "chunked;q=1",
  '"chunked"',
  ",chunked",
  "chunked,",
  "chun\tked",
  "\x00chunked",
];
const lengthNames = [
  "Content-Length",
  "Content-Length",
  "content-length",
  "CONTENT-LENGTH",
  "Content-Length ",
  "Content_Length",
  " Content-Length",
  "Content-Length\t",
  "Content-Length\0",
];
const codingNames = [
  "Transfer-Encoding",
  "Transfer-Encoding",
  "transfer-encoding",
  "Transfer-Encoding ",
  "Transfer_Encoding",
  " Transfer-Encoding",
  "Transfer-Encoding\v",
  "Transfer\rEncoding",
];
const connections = [
  "close",
  "keep-alive",
  "Close",
  "keep-alive, close",
  "close, keep-alive",
  "x-a",
  "upgrade",
  "close,",
  ",close",
  "\xa0close",
  "close\t",
  "keep-alive\v",
  "closer",
  "content-length",
  "Upgrade, keep-alive",
  "clo se",
  "keep-alive, upgrade",
];
const otherFields = [
  "A: b",
  "A:b",
  "A:",
  "A: \t b \t",
  "A:b:c",
  ": b",
  "A",
  "A b: c",
  "A : b",
  "\xe4: b",
  "A: \xff",
  "A: \x00",
  "A: \x01",
  "A: \x7f",
  "A: b\rC: d",
  "A: b\nC: d",
  " A: b",
  "\tA: b",
  "A: b\r\n c",
  "A: b\r\n\tc",
  "A: b\r\r\n c",
  "Upgrade: x",
  "Upgrade: h2c",
  "Expect: 100-continue",
  "Trailer: T",
  "TE: trailers",
  "Proxy-Connection: keep-alive",
  "X-Routing-Key: visa",
  "(: b",
  "A\0: b",
  "A@: b",
  '"A": b',
  'A: "b\r\n"',
  "Set-Cookie: a",
  "Keep-Alive: timeout=5",
];
const lineEnds = ["\n", "\r", "\r\r\n", "\n\r", "\r\n\r\n", "\r\n ", "\v\r\n", "\0\r\n", ""];
const sizes = [
  "0",
  "1",
  "5",
  "a",
  "A",
  "05",
  "0005",
  "0x5",
  "+5",
  "-5",
  " 5",
  "5 ",
  "5\t",
  "g",
  "",
  "5g",
  "ffffffffffffffff",
  "fffffffffffffffff",
  "10000000000000005",
  "00000000000000000005",
  "5;",
  "5;a",
  "5;a=b",
  '5;a="b"',
  '5; a = "b;c"',
  "5 ;a",
  "5;a\tb",
  "5;\x00",
  "5;\x80",
  "5;a\r",
  "5;a\n",
  '5;a="\r\n"',
  "5\v",
  "5,5",
  "5;;",
  "5;=",
  '5;a="b',
  "5;a=b;",
  "5\r",
  "5.",
  "100000005",
  "10000000005",
  "1000000000005",
  "fffffffffffff",
];
const trailerLines = [
  "",
  "",
  "",
  "",
  "T: 1\r\n",
  "T: 1\r\nU: 2\r\n",
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "T\r\n",
  " T: 1\r\n",
  "T: 1\n",
  "T : 1\r\n",
  "T:\r\n",
  "T: \x00\r\n",
  "T: 1\r\n u\r\n",
  ": 1\r\n",
  "\n",
  "\r",
  "Connection: close\r\n",
];
const content = [
  "hello",
  "GET /",
  "0\r\n\r\n",
  "\r\n\r\nX",
  "\r\n0\r\n",
  "HTTP/",
  "\x00\x01\x02\x03\xff",
  "a: b\r",
  "x".repeat(300),
];
/** What damage puts into a message. */
export const damage = [
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
  "\x80",
  "\xff",
  "\v",
  "\f",
  "\x1b",
  "a",
  "\x85",
  "\xa0",
  '"',
  "\\",
  "{",
  "HTTP/1.1",
  "\r\n\r\n",
  "chunked",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "#",
  "%",
];
// #endregion alphabet

export type Direction = "requests" | "responses";

export interface Case {
  readonly direction: Direction;
  /** What a client (or a cell) sends on one connection, one character a byte. */
  readonly stream: string;
  /** How many messages went into the stream. */
  readonly messages: number;
  /** For responses: the methods of their requests, in order. */
  readonly methods: readonly string[];
  /** For responses: whether the cell then closes the connection in order. */
  readonly ended: boolean;
  /** Where the stream is cut into reads. */
  readonly cuts: readonly number[];
}

// #region make-case
/** One case: a pipeline of one to four messages, some of them damaged. */
export function makeCase(random: Random): Case {
  const direction = random.chance(55) ? "requests" : "responses";
  const messages = 1 + random.below(4);
  random.oddness = random.pick([0.1, 0.25, 1]);
  let stream = "";
  for (let i = 0; i < messages; i++) {
    const message = direction === "requests" ? request(random) : response(random);
    stream += random.odd(50) ? damaged(message, random) : message;
    if (random.odd(3)) stream += random.pick(damage);
  }
  if (random.odd(20)) stream = stream.slice(0, random.below(stream.length + 1));
  return {
    direction,
    stream,
    messages,
    methods: Array.from({ length: messages }, () => (random.chance(20) ? "HEAD" : "GET")),
    ended: random.chance(50),
    cuts: Array.from({ length: random.chance(60) ? 0 : random.below(6) }, () => random.below(400)),
  };
}

function request(random: Random): string {
  const odd = random.odd(12);
  const method = odd ? random.pick(methods) : random.pick(["GET", "POST"]);
  const target = odd ? random.pick(targets) : "/a";
  const version = random.odd(10) ? random.pick(versions) : "HTTP/1.1";
  const fields = random.odd(4)
    ? []
    : [random.odd(4) ? random.pick(["Host: a, b", "Host:", "Host: a\r\nHost: b", "host: a"]) : "Host: a"];
  return message(`${method} ${target} ${version}`, fields, random);
}

function response(random: Random): string {
  const version = random.odd(10) ? random.pick(versions) : "HTTP/1.1";
  return message(`${version} ${random.odd(40) ? random.pick(statusLines) : "200 OK"}`, [], random);
}

function message(firstLine: string, fields: string[], random: Random): string {
  const body = framing(fields, random);
  while (random.chance(25)) fields.push(random.odd(80) ? random.pick(otherFields) : "A: b");
  if (random.odd(12)) fields.push(`Connection: ${random.pick(connections)}`);
  // The order of fields decides which of two contradicting ones a careless parser believes.
  if (fields.length > 1 && random.odd(30))
    fields.push(fields.splice(random.below(fields.length), 1)[0] ?? "");
  const lines = [firstLine, ...fields, ""];
  const end = (): string => (random.odd(1) ? random.pick(lineEnds) : "\r\n");
  return lines.map((line) => line + end()).join("") + body;
}

/** Adds the fields that frame a body, right or wrong, and returns the body. */
function framing(fields: string[], random: Random): string {
  const kind = random.below(10);
  const name = (names: readonly string[]): string =>
    random.odd(10) ? random.pick(names) : (names[0] as string);
  if (kind < 3) return random.odd(5) ? random.pick(content) : "";
  if (kind < 6) {
    const body = random.pick(content);
    const length = random.odd(30)
      ? random.pick(lengths)
      : String(body.length + (random.odd(8) ? random.below(5) - 2 : 0));
    fields.push(`${name(lengthNames)}: ${length}`);
    if (random.odd(6)) fields.push(`${name(lengthNames)}: ${random.odd(50) ? length : random.pick(lengths)}`);
    if (random.odd(6)) fields.push(`${name(codingNames)}: ${random.pick(codings)}`);
    return body;
  }
  fields.push(`${name(codingNames)}: ${random.odd(20) ? random.pick(codings) : "chunked"}`);
  if (random.odd(4)) fields.push(`${name(codingNames)}: ${random.pick(codings)}`);
  if (random.odd(6)) fields.push(`${name(lengthNames)}: ${random.pick(lengths)}`);
  return chunks(random);
}

function chunks(random: Random): string {
  const end = (): string => (random.odd(2) ? random.pick(lineEnds) : "\r\n");
  let body = "";
  for (let left = random.below(4); left > 0; left--) {
    const data = random.pick(content);
    const size = random.odd(12)
      ? random.pick(sizes)
      : data.length.toString(16) + (random.odd(15) ? ";e=f" : "");
    body += size + end() + data + end();
  }
  return `${body}0${random.odd(5) ? ";e" : ""}${end()}${random.odd(25) ? random.pick(trailerLines) : ""}${end()}`;
}
// #endregion make-case

// #region damage
/** One to three changes that know nothing of grammar. */
function damaged(text: string, random: Random): string {
  let result = text;
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(result.length + 1);
    const size = random.below(4);
    const before = result.slice(0, at);
    const after = result.slice(at);
    switch (random.below(6)) {
      case 0:
        result = before + random.pick(damage) + after;
        break;
      case 1:
        result = before + after.slice(1 + size);
        break;
      case 2:
        result = before + random.pick(damage) + after.slice(1);
        break;
      case 3:
        result = before + String.fromCharCode(random.below(256)) + after.slice(1);
        break;
      case 4: {
        // A piece of the message once more, elsewhere.
        const from = random.below(result.length + 1);
        result = before + result.slice(from, from + 1 + random.below(30)) + after;
        break;
      }
      default:
        result = swappedCase(before, after);
    }
  }
  return result;
}

function swappedCase(before: string, after: string): string {
  const letter = after[0] ?? "";
  return (
    before + (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()) + after.slice(1)
  );
}
// #endregion damage
