// The malformed requests that a router must refuse: each with the attack that it stands for. `why` is what goes wrong when a
// router passes it on.

import type { Grade } from "../grades.ts";
import type { Scene } from "../scenes.ts";

/** What an attack takes from the scene that it is played in. */
export type AttackScene = Pick<Scene, "path" | "request">;

export interface Attack {
  /** Completes "refuses …". */
  readonly title: string;
  /** The attack in a sentence. */
  readonly why: string;
  readonly bytes: (scene: AttackScene) => string;
  /** @default "core" */
  readonly grade?: Grade;
}

/** A whole request that must never reach a cell: what an attacker hides behind or inside another one. */
const smuggled = (scene: AttackScene) => scene.request({ target: scene.path("/smuggled"), key: "visa" });

/** A request with these head lines and body, followed by one that must not get through. */
function post(scene: AttackScene, lines: readonly string[], body = ""): string {
  const head = [`POST ${scene.path()} HTTP/1.1`, "Host: cells.test", "X-Routing-Key: acme", ...lines];
  return `${head.join("\r\n")}\r\n\r\n${body}${smuggled(scene)}`;
}

/** What a standard lets a reader do in one clear way, and what this workbook refuses all the same. */
const byPolicy = (each: Attack): Attack => ({ ...each, grade: "policy" });

function attack(title: string, why: string, lines: readonly string[], body = ""): Attack {
  return { title, why, bytes: (scene) => post(scene, lines, body) };
}

const codingWhy = "A cell that ignores the coding frames by another rule and takes the body for a request.";
const lengthWhy = "Two readers take different lengths, and the difference becomes a request.";
const chunkWhy = "Two readers find the end of the chunk at different places, and the rest becomes a request.";
const lineWhy = "Two readers split the head into different fields, and one of them frames the body.";

/** A chunked body that ends at once, so that a reader which frames by anything else is left with the rest. */
const nothing = "0\r\n\r\n";

const coding = (value: string) =>
  attack(`Transfer-Encoding: ${JSON.stringify(value)}`, codingWhy, [`Transfer-Encoding: ${value}`], nothing);
const length = (value: string) =>
  attack(`Content-Length: ${JSON.stringify(value)}`, lengthWhy, [`Content-Length: ${value}`], "hello");

/** Faults in the head: nothing of the request may reach a cell. */
export const headAttacks: readonly Attack[] = [
  // RFC 9112 §6.3: it ought to be refused, and may be framed by its chunks once the length is gone.
  byPolicy(
    attack(
      "Content-Length with Transfer-Encoding",
      "The router frames by chunks and the cell by length, or the other way round (CL.TE).",
      ["Content-Length: 6", "Transfer-Encoding: chunked"],
      "0\r\n\r\nG",
    ),
  ),
  byPolicy(
    attack(
      "Transfer-Encoding with Content-Length",
      "The same with the fields in the other order (TE.CL).",
      ["Transfer-Encoding: chunked", "Content-Length: 4"],
      "5c\r\n",
    ),
  ),
  ...["xchunked", "chunked, identity", "identity", "gzip, chunked", "chunked, chunked", '"chunked"'].map(
    coding,
  ),
  ...["chunked;q=1", "chunked\x0b", "cow", "chun ked", "identity, chunked", "\xa0chunked", ""].map(coding),
  attack(
    "Transfer-Encoding twice",
    codingWhy,
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    nothing,
  ),
  attack(
    "the same coding twice",
    codingWhy,
    ["Transfer-Encoding: chunked", "transfer-encoding: chunked"],
    nothing,
  ),
  attack("a space before the colon", lineWhy, ["Transfer-Encoding : chunked"], nothing),
  attack("a tab before the colon", lineWhy, ["Content-Length\t: 5"], "hello"),
  attack("two differing lengths", lengthWhy, ["Content-Length: 5", "Content-Length: 0"], "hello"),
  ...["+5", "-5", "5, 6", "0x5", "5.0", "5 5", "1e1", "five", "", "99999999999999999999999", "５"].map(
    length,
  ),
  // RFC 9112 §2.2 lets a reader take a bare LF for the end of a line.
  byPolicy(attack("a bare LF in the head", lineWhy, ["X-A: 1\nTransfer-Encoding: chunked"], nothing)),
  attack("a bare CR in a value", lineWhy, ["X-A: 1\rTransfer-Encoding: chunked"], nothing),
  attack("a CR before the colon", lineWhy, ["X-A\r: 1"]),
  attack("a NUL in a value", "A reader in C ends the value there and sees another one.", ["X-A: 1\x002"]),
  attack(
    "a NUL in a name",
    "A reader in C sees a field of another name.",
    ["Transfer-Encoding\x00: chunked"],
    nothing,
  ),
  attack("another control byte in a value", lineWhy, ["X-A: 1\x012"]),
  attack("a field without a name", lineWhy, [": chunked"]),
  attack("a line without a colon", lineWhy, ["Transfer-Encoding chunked"]),
  attack("a name with a space inside", lineWhy, ["Transfer Encoding: chunked"]),
  {
    title: "a folded line before the first field",
    why: "One reader takes it as part of the request line, another as a field.",
    bytes: (scene) =>
      `GET ${scene.path()} HTTP/1.1\r\n Host: a\r\nHost: b\r\nX-Routing-Key: acme\r\n\r\n${smuggled(scene)}`,
  },
  {
    title: "a head whose lines all end in a bare LF",
    why: "A reader that wants CRLF takes this and the next request for one head.",
    bytes: (scene) => `GET ${scene.path()} HTTP/1.1\nHost: a\nX-Routing-Key: acme\n\n${smuggled(scene)}`,
    grade: "policy",
  },
  {
    title: "HTTP/1.0 with a transfer coding",
    why: "RFC 9112 §6.1: an HTTP/1.0 hop does not know the coding, so the framing is faulty.",
    bytes: (scene) =>
      `POST ${scene.path()} HTTP/1.0\r\nHost: a\r\nX-Routing-Key: acme\r\nTransfer-Encoding: chunked\r\n\r\n${nothing}${smuggled(scene)}`,
  },
  ...[
    ["a version that is none", "HTTP/1.9x"],
    ["version 2 on this connection", "HTTP/2.0"],
    ["a version in small letters", "http/1.1"],
    ["words after the version", "HTTP/1.1 x"],
  ].map(([title = "", version]) => ({
    title,
    why: "A reader that passes it on chooses a meaning that the next may not share.",
    bytes: (scene: AttackScene) =>
      `GET ${scene.path()} ${version}\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n${smuggled(scene)}`,
  })),
  ...[
    ["a tab after the method", (path: string) => `GET\t${path} HTTP/1.1`],
    ["a NUL in the target", (path: string) => `GET ${path}\0 HTTP/1.1`],
    ["a space in the target", (path: string) => `GET ${path} x HTTP/1.1`],
    ["a target that is no path", (path: string) => `GET ${path.slice(1)} HTTP/1.1`],
    ["no target", () => "GET HTTP/1.1"],
    ["a request line of HTTP/0.9", (path: string) => `GET ${path}`],
    ["a method that is no token", (path: string) => `G(T ${path} HTTP/1.1`],
  ].map(([title, line]) => ({
    title: title as string,
    why: "Two readers find different targets in the line.",
    bytes: (scene: AttackScene) =>
      `${(line as (path: string) => string)(scene.path())}\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n${smuggled(scene)}`,
  })),
  ...["a/b", "a@b", "a, b", "a?b", "a#b", "a\\b", "a<b", "\xe9"].map((host) => ({
    title: `Host: ${JSON.stringify(host)}`,
    why: "RFC 9112 §3.2: the cell would find another host in it, and build links and caches on that.",
    bytes: (scene: AttackScene) =>
      `GET ${scene.path()} HTTP/1.1\r\nHost: ${host}\r\nX-Routing-Key: acme\r\n\r\n`,
  })),
  {
    title: "a fragment in the target",
    why: "RFC 9112 §3.2: the router would choose by a path that the cell cuts off before it serves.",
    bytes: (scene) => `GET ${scene.path()}#x HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n`,
    grade: "policy",
  },
  {
    title: "the preface of HTTP/2",
    why: "A cell that answers in HTTP/2 would leave the router relaying frames that it cannot read.",
    bytes: () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  },
];

const chunked = (title: string, body: string, why = chunkWhy) =>
  attack(title, why, ["Transfer-Encoding: chunked"], body);

/** Faults in a chunked body. The head may have reached a cell by then; a whole request must not. */
export const bodyAttacks: readonly Attack[] = [
  chunked("a chunk size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
  chunked("a chunk size with a plus", "+5\r\nhello\r\n0\r\n\r\n"),
  chunked("a negative chunk size", "-5\r\nhello\r\n0\r\n\r\n"),
  chunked("a chunk size with an underscore", "1_0\r\nhellohellohellox\r\n0\r\n\r\n"),
  chunked("an empty chunk size", "\r\nhello\r\n0\r\n\r\n"),
  chunked("a chunk size with a space before it", " 5\r\nhello\r\n0\r\n\r\n"),
  chunked("a chunk size that is no number", "five!\r\nhello\r\n0\r\n\r\n"),
  chunked("a chunk size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n", "It wraps around to 5."),
  chunked("a chunk size beyond 128 bits", `${"f".repeat(33)}\r\nhello\r\n0\r\n\r\n`),
  chunked("a chunk that is longer than its size", "3\r\nhello\r\n0\r\n\r\n"),
  chunked("a chunk without CRLF after its data", "5\r\nhello0\r\n\r\n"),
  chunked("a chunk whose data ends in a bare LF", "5\r\nhello\n0\r\n\r\n"),
  chunked("a chunk size that ends in a bare LF", "5\nhello\r\n0\r\n\r\n"),
  chunked("a chunk size that ends in a bare CR", "5\rhello\r\n0\r\n\r\n"),
  chunked(
    "a bare LF in a chunk extension",
    "5;a\nhello\r\n0\r\n\r\n",
    "One reader ends the line there, another at the CRLF: TERM.EXT smuggling.",
  ),
  chunked(
    "a chunk extension of 64 KiB",
    `5;${"x".repeat(65_536)}\r\nhello\r\n0\r\n\r\n`,
    "It holds memory for nothing.",
  ),
  chunked(
    "a last chunk that a request follows at once",
    "5\r\nhello\r\n0\r\n",
    "The request would be a trailer.",
  ),
  // Whoever throws trailers away need not read them.
  byPolicy(chunked("a NUL in a trailer", "5\r\nhello\r\n0\r\nX-T: \0\r\n\r\n")),
  byPolicy(chunked("a trailer without a colon", "5\r\nhello\r\n0\r\nX-T\r\n\r\n")),
  byPolicy(chunked("a trailer with a bare LF", "5\r\nhello\r\n0\r\nX-T: 1\n\r\n")),
];
