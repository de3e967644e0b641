import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readJson } from "../src/json-document.ts";

const read = (text: string) => readJson(new TextEncoder().encode(text));
const faultsOf = (text: string) => {
  const result = read(text);
  return result.ok ? [] : result.faults;
};

/** Values that a document may hold: not too deep, no long lists. */
const { value: jsonValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.string({ unit: "grapheme" }),
    fc.string({
      unit: fc.constantFrom('"', "\\", ":", ",", "{", "}", "[", "]", " ", "\n", "\u00e9", "\u{1f600}"),
    }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "")), tie("value"), {
      maxKeys: 5,
    }),
  ),
}));

describe("readJson", () => {
  test("property: reads what JSON.parse reads, however it is laid out", () => {
    fc.assert(
      fc.property(jsonValue, fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(read(text)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  test.each([
    '{"placements": {"a": {"url": http://me:pa55word@h}}}',
    `{"url": 'http://me:pa55word@h'}`,
    "http://me:pa55word@h",
  ])("a fault quotes nothing of a document that may hold a password: %s", (text) => {
    expect(faultsOf(text)).toEqual([expect.stringMatching(/^\(document\): not JSON: Unexpected token '.'$/)]);
  });

  test("property: never throws, whatever the bytes are", () => {
    const almostJson = fc.string({ unit: fc.constantFrom(...'{}[]":,\\1 eE.-tru\u00e9'), maxLength: 200 });
    const responses = (bytes: Uint8Array): void => {
      const result = readJson(bytes);
      if (!result.ok) expect(result.faults.length).toBeGreaterThan(0);
    };
    fc.assert(
      fc.property(almostJson, (text) => responses(new TextEncoder().encode(text))),
      { numRuns: 2_000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), responses));
  });

  test("skips a byte order mark, which some editors write", () => {
    expect(read("\ufeff{}")).toEqual({ ok: true, value: {} });
  });

  test.each([
    ['{"a":1,"a":1}', ["a: is there more than once; JSON would keep the last one only"]],
    ['{"a":1,"\\u0061":2}', ["a: is there more than once; JSON would keep the last one only"]],
    [
      '{ "__proto__" : 1, "__proto__" : 2 }',
      ["__proto__: is there more than once; JSON would keep the last one only"],
    ],
    [
      '{"a":{"b c":1,"x":[{}],"b c":2}}',
      ['a["b c"]: is there more than once; JSON would keep the last one only'],
    ],
    [
      '[{"a":1},{"a":1,"b":{},"b":{},"b":{}}]',
      ["1.b: is there more than once; JSON would keep the last one only"],
    ],
  ])("refuses a name that stands twice in one object: %s", (text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  test("property: finds a repeated name wherever it stands", () => {
    fc.assert(
      fc.property(jsonValue, jsonValue, fc.string(), (around, other, name) => {
        const twice = `{${JSON.stringify(name)}:0,"other":${JSON.stringify(other)},${JSON.stringify(name)}:1}`;
        const text = JSON.stringify({ around, here: "HERE" }).replace('"HERE"', () => twice);
        expect(faultsOf(text).join("\n")).toContain("is there more than once");
      }),
    );
  });

  test("lists a hundred repeated names and counts the others", () => {
    const member = (_: unknown, at: number) => `"k${at % 150}":${at}`;
    const faults = faultsOf(`{${Array.from({ length: 300 }, member).join(",")}}`);
    expect(faults).toHaveLength(101);
    expect(faults.at(-1)).toBe("… and 50 more");
  });

  test("takes sixteen levels and refuses the seventeenth before it reads anything", () => {
    const nested = (levels: number) => `${'{"a":['.repeat(levels / 2)}${"]}".repeat(levels / 2)}`;
    expect(faultsOf(nested(16))).toEqual([]);
    expect(faultsOf(nested(18))).toEqual(["(document): nested deeper than 16 levels"]);
    expect(faultsOf("[".repeat(100_000))).toEqual(["(document): nested deeper than 16 levels"]);
    // Brackets in a string are text.
    expect(faultsOf(JSON.stringify("[".repeat(100_000)))).toEqual([]);
  });

  test("takes a list of a thousand elements and refuses a longer one", () => {
    const list = (length: number) => JSON.stringify({ list: Array.from({ length }, () => [{}]) });
    expect(faultsOf(list(1_000))).toEqual([]);
    expect(faultsOf(list(1_001))).toEqual(["(document): a list of more than 1000 elements"]);
    // Objects may be large: a table has many keys.
    const keys = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [i, i]));
    expect(faultsOf(JSON.stringify([keys, keys]))).toEqual([]);
  });
});
