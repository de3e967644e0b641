import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { disagreement } from "../../../shared/fuzz/compare.ts";
import { type Direction, makeCase } from "../../../shared/fuzz/messages.ts";
import { Random } from "../../../shared/fuzz/random.ts";
import type { Message, Reading } from "../../../shared/fuzz/reading.ts";
import { runCase } from "./http1-fuzz-case.ts";

interface Regression {
  readonly name: string;
  readonly direction: Direction;
  readonly stream: string;
}

const file = new URL("../../../shared/fuzz/regressions.json", import.meta.url);
const regressions = JSON.parse(readFileSync(file, "utf8")) as readonly Regression[];

describe("streams that the two parsers once read differently", () => {
  test.each(regressions)("$name", ({ direction, stream }) => {
    for (const ended of [true, false]) {
      const cuts = Array.from(stream, (_, i) => i);
      const each = { direction, stream, messages: 1, methods: ["GET"], ended, cuts };
      expect(runCase(each).fault).toBeUndefined();
    }
  });
});

test("accepts nothing that Node frames differently, and refuses not everything", () => {
  let framed = 0;
  let refused = 0;
  for (let i = 0; i < 2_000; i++) {
    const result = runCase(makeCase(new Random(20, i)));
    expect(result.fault, `case ${i} of seed 20`).toBeUndefined();
    framed += result.framed;
    refused += result.refused ? 1 : 0;
  }
  expect(framed).toBeGreaterThan(1_000);
  expect(refused).toBeGreaterThan(500);
});

describe("a disagreement is", () => {
  const message: Message = {
    firstLine: "GET / 1",
    fields: ["A", "b"],
    body: "x",
    trailers: [],
    complete: true,
  };
  const reading = (change: Partial<Reading> = {}, ...messages: Message[]): Reading => {
    return { messages, refusal: undefined, closed: false, ...change };
  };
  const refusal = { rule: "bare LF" };
  const cases: readonly [title: string, ours: Reading, node: Reading, isFault: boolean][] = [
    ["not the same message", reading({}, message), reading({}, message), false],
    ["another first line", reading({}, message), reading({}, { ...message, firstLine: "GET /x 1" }), true],
    ["another field", reading({}, message), reading({}, { ...message, fields: [] }), true],
    ["another body", reading({}, message), reading({}, { ...message, body: "xy" }), true],
    ["another trailer", reading({}, message), reading({}, { ...message, trailers: ["T", "1"] }), true],
    [
      "an end that Node does not see",
      reading({}, message),
      reading({}, { ...message, complete: false }),
      true,
    ],
    ["an end that only Node sees", reading({}, { ...message, complete: false }), reading({}, message), true],
    ["a message that Node refuses", reading({}, message), reading({ refusal }), true],
    ["a message that only Node sees", reading({}, message), reading({}, message, message), true],
    ["not a message that we refuse", reading({ refusal }, message), reading({}, message, message), false],
    [
      "not a message after the last one",
      reading({ closed: true }, message),
      reading({}, message, message),
      false,
    ],
  ];
  test.each(cases)("%s", (_, ours, node, isFault) => {
    expect(disagreement(ours, node) !== undefined).toBe(isFault);
  });
});
