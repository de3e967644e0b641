// The appendix of RFC 7396, case by case, and the property that makes a patch safe to send: what is applied gives what was meant.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apply, diff, type Json } from "../src/delta/merge-patch.ts";

const json = (text: string): Json => JSON.parse(text);

describe("apply, as RFC 7396 appendix A lists it", () => {
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', "null", "null"],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])("%s and %s give %s", (document, patch, result) => {
    expect(JSON.stringify(apply(json(document), json(patch)))).toBe(result);
  });
});

test("a key like __proto__ is a key like any other", () => {
  const from = json('{"routingTable":{"a":"x","constructor":"x"}}');
  const to = json('{"routingTable":{"a":"x","__proto__":{"polluted":"yes"},"toString":"y"}}');
  const patch = diff(from, to);
  expect(JSON.stringify(patch)).toBe(
    '{"routingTable":{"constructor":null,"__proto__":{"polluted":"yes"},"toString":"y"}}',
  );
  expect(JSON.stringify(apply(from, patch ?? null))).toBe(JSON.stringify(to));
  expect("polluted" in {}).toBe(false);
});

test("what is the same is not in the patch", () => {
  const from = json('{"a":{"b":1,"c":[1,{"d":null}]},"e":2}');
  expect(diff(from, json('{"e":3,"a":{"c":[1,{"d":null}],"b":1}}'))).toEqual({ e: 3 });
});

test.each(['{"a":null}', '{"a":{"b":{"c":null}}}'])("no patch can bring in %s", (to) => {
  expect(diff({}, json(to))).toBeUndefined();
});

test("apply(a, diff(a, b)) is b, wherever there is a patch; without null there always is one", () => {
  const key = fc.oneof(fc.constantFrom("a", "b", "__proto__", "constructor", "toString"), fc.string());
  const { document } = fc.letrec<{ document: Json }>((tie) => ({
    document: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string()),
      fc.array(tie("document"), { maxLength: 4 }),
      fc
        .array(fc.tuple(key, tie("document")), { maxLength: 5 })
        .map((members) => Object.fromEntries(members)),
    ),
  }));
  fc.assert(
    fc.property(document, document, (a, b) => {
      const before = JSON.stringify(a);
      const patch = diff(a, b);
      if (patch === undefined) {
        expect(JSON.stringify(b)).toContain("null");
        return;
      }
      // As it comes out of the wire.
      expect(apply(a, json(JSON.stringify(patch)))).toEqual(json(JSON.stringify(b)));
      expect(JSON.stringify(a)).toBe(before);
    }),
    { numRuns: 2_000 },
  );
});
