import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, checksumOf } from "../src/checksum.ts";

/** The same value with the members of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).reverse();
  return Object.fromEntries(members.map(([key, each]) => [key, reordered(each)]));
}

describe("checksumOf", () => {
  test("is that of the canonical form", () => {
    // printf '{"a":[1,true,null],"b":"ü"}' | sha256sum
    const checksum = "0556012393cc2bd7c99513896d3275364f0917f53eb68ec2c1831ae45e53c72b";
    expect(checksumOf({ b: "ü", a: [1, true, null] })).toBe(checksum);
  });

  test("does not depend on order or layout", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const parsed: unknown = JSON.parse(JSON.stringify(value, null, 3));
        expect(checksumOf(reordered(parsed))).toBe(checksumOf(parsed));
      }),
    );
  });

  test("depends on everything else", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const [a, b] = [canonicalJson(one), canonicalJson(other)];
        expect(checksumOf(one) === checksumOf(other)).toBe(a === b);
        // The canonical form is JSON for the same value, so different values have different forms.
        expect(JSON.parse(a)).toEqual(JSON.parse(JSON.stringify(one)));
      }),
    );
  });

  test("sorts by UTF-16 code units, as RFC 8785 asks", () => {
    const keys = ["\u20ac", "\r", "\ufb33", "1", "\u{1f600}", "\u0080", "\u00f6"];
    const object = Object.fromEntries(keys.map((key) => [key, 0]));
    const sorted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\u{1f600}", "\ufb33"];
    expect(canonicalJson(object)).toBe(`{${sorted.map((key) => `${JSON.stringify(key)}:0`).join(",")}}`);
  });

  test("counts a member named __proto__", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
  });
});
