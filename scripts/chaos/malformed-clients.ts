// Clients whose bytes are no clear requests: the attacks of the contract, damaged requests, heads beyond every limit, and what
// is no HTTP at all.

import { bodyAttacks, headAttacks } from "../../shared/contract/m1/smuggling-attacks.ts";
import { requestBytes } from "../../shared/contract/messages.ts";
import { damage } from "../../shared/fuzz/messages.ts";
import type { Random } from "../../shared/fuzz/random.ts";
import type { RequestParts, RequestWriter } from "./requests.ts";

/** The attacks of the contract: what a router must refuse, and a decoy behind it. */
export function unclearFraming(writer: RequestWriter): void {
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
export function damaged(writer: RequestWriter): void {
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

function change(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  switch (random.below(4)) {
    case 0:
      return before + random.pick(damage) + after;
    case 1:
      return before + after.slice(1 + random.below(4));
    case 2:
      return before + random.pick(damage) + after.slice(1);
    default:
      return before + String.fromCharCode(random.below(256)) + after.slice(1);
  }
}

export function hugeHead(writer: RequestWriter): void {
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

export function garbage(writer: RequestWriter): void {
  const { random } = writer;
  if (random.chance(25)) writer.any();
  writer.raw(
    random.pick([
      noise(random, 300),
      `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${noise(random, 300)}`,
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

/** Up to so many bytes of anything. */
export function noise(random: Random, most: number): string {
  return Array.from({ length: 1 + random.below(most) }, () => String.fromCharCode(random.below(256))).join(
    "",
  );
}
