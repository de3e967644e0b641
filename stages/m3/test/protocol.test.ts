import { describe, expect, test } from "vitest";
import {
  closeReason,
  decide,
  decodeFromControlPlane,
  decodeFromRouter,
  encode,
  encodeSnapshot,
  nackOf,
  type Position,
  type RouterMessage,
  type Validated,
} from "../src/protocol.ts";
import { parseRoutingTable } from "../src/routing-table.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const sum = (digit: string) => digit.repeat(64);
const at = (epoch: string, revision: number, checksum = sum("a")): Position => ({
  epoch,
  revision,
  checksum,
});

const document = {
  version: "1",
  defaultPlacement: "tier1",
  routingTable: {},
  placements: { tier1: { kind: "tier", url: "http://127.0.0.1:9001" } },
};
const parsed = parseRoutingTable(document);
const good: Validated = parsed.ok ? { ...parsed, checksum: sum("a") } : parsed;
const invalid: Validated = { ok: false, faults: ["defaultPlacement: missing"] };

describe("decide", () => {
  test.each<[string, Position | undefined, Position, string[], string]>([
    ["the first snapshot", undefined, at("a", 1), [], "apply"],
    ["the next revision", at("a", 1), at("a", 2), [], "apply"],
    ["a revision far ahead: those between were never sent", at("a", 1), at("a", 900), [], "apply"],
    ["the same again", at("a", 2), at("a", 2), [], "ignore same"],
    ["an older revision", at("a", 2), at("a", 1), [], "ignore older"],
    ["an older revision with other content", at("a", 2), at("a", 1, sum("b")), [], "ignore older"],
    ["the same revision with other content", at("a", 2), at("a", 2, sum("b")), [], "nack"],
    ["a new epoch with a lower revision", at("a", 900), at("b", 1), [], "apply"],
    [
      "an epoch that a newer one has superseded on this link",
      at("b", 1),
      at("a", 901),
      ["a"],
      "ignore superseded",
    ],
    ["an epoch that was superseded on an earlier link", at("b", 1), at("a", 901), [], "apply"],
  ])("%s", (_, held, offered, superseded, expected) => {
    const first = decide(held, offered, new Set(superseded));
    // The costly look into the table is asked for only where the position allows it.
    expect(first.kind === "validate").toBe(expected === "apply");
    const verdict = decide(held, offered, new Set(superseded), good);
    expect(verdict.kind === "ignore" ? `ignore ${verdict.why}` : verdict.kind).toBe(expected);
  });

  test("refuses a table that is not what was announced, and says both checksums", () => {
    const verdict = decide(undefined, at("a", 1, sum("b")), new Set(), good);
    expect(verdict).toEqual({
      kind: "nack",
      reasons: [`checksum: expected ${sum("b")}, the table that arrived has ${sum("a")}`],
    });
  });

  test("refuses an invalid table with its faults", () => {
    const verdict = decide(at("a", 1), at("a", 2), new Set(), invalid);
    expect(verdict).toEqual({ kind: "nack", reasons: ["defaultPlacement: missing"] });
  });

  test("looks at the position again when the validation took its time", () => {
    // Between the two calls the router applied revision 3.
    expect(decide(at("a", 3), at("a", 2), new Set(), good)).toEqual({ kind: "ignore", why: "older" });
  });
});

describe("the codec", () => {
  test("a snapshot is a head of one line, and the table untouched", () => {
    const message = encodeSnapshot(at("a", 7), '{"__proto__":1}');
    const decoded = decodeFromControlPlane(message);
    expect(decoded).toMatchObject({ ok: true, message: { type: "snapshot", ...at("a", 7) } });
    expect(new TextDecoder().decode(decoded.body)).toBe('{"__proto__":1}');
  });

  test("hello, ack and nack come back as they were sent", () => {
    const messages: RouterMessage[] = [
      { type: "hello", protocol: 1, routerId: "r-1", have: null },
      { type: "hello", protocol: 1, routerId: "r-1", have: at("a", 1) },
      { type: "ack", epoch: "a", revision: 1 },
      { type: "nack", epoch: "a", revision: 1, reasons: ["no"] },
    ];
    for (const message of messages) {
      expect(decodeFromRouter(bytes(encode(message)))).toEqual({ ok: true, message });
    }
  });

  test("skips fields that it does not know, so that a later version may add some", () => {
    const hello = '{"type":"hello","protocol":1,"routerId":"r","have":null,"features":["delta"]}';
    expect(decodeFromRouter(bytes(hello))).toMatchObject({ ok: true });
  });

  test.each([
    "",
    "{",
    "null",
    "[]",
    '"hello"',
    '{"type":"hello"}',
    '{"type":"constructor"}',
    '{"type":"ack","epoch":"a","revision":0}',
    '{"type":"ack","epoch":"a","revision":1.5}',
    '{"type":"ack","epoch":"","revision":1}',
    '{"type":"nack","epoch":"a","revision":1,"reasons":[]}',
    '{"type":"hello","protocol":1,"routerId":"../etc","have":null}',
  ])("refuses %j in words", (text) => {
    const decoded = decodeFromRouter(bytes(text));
    expect(decoded).toMatchObject({ ok: false, fault: expect.stringMatching(/./) });
  });

  test("refuses bytes that are not UTF-8, and a head that does not end", () => {
    expect(decodeFromControlPlane(Uint8Array.of(0x7b, 0xff, 0x7d))).toMatchObject({ ok: false });
    expect(decodeFromControlPlane(bytes("x".repeat(5_000)))).toMatchObject({
      ok: false,
      fault: "A head of 5000 bytes",
    });
  });

  test("a nack keeps its bounds, whatever the faults", () => {
    const faults = Array.from({ length: 5_000 }, (_, index) => `placements.p${index}: ${"x".repeat(2_000)}`);
    const message = nackOf(at("a", 1), faults);
    expect(decodeFromRouter(bytes(encode(message)))).toMatchObject({ ok: true });
    expect(encode(message).length).toBeLessThan(64 * 1024);
    expect(encode(message)).toContain("… and 4900 more faults");
  });

  test("a close reason fits into its frame", () => {
    expect(bytes(closeReason(`Not understood: ${"ü".repeat(500)}`)).length).toBeLessThanOrEqual(123);
  });
});
