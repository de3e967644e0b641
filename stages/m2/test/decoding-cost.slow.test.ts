// Validation costs a small multiple of its input, whatever the input: each document here has 16 MB, and is made to cost
// far more than that. An honest table of 16 MB takes 23 times its bytes; before there were bounds, these took up to 140 times.

import { describe, expect, test } from "vitest";
import { decodingCost } from "../../../shared/testkit/decoding-cost.ts";
import { exampleDocument } from "./documents.ts";

const decoder = new URL("../src/table-decoder.ts", import.meta.url);
const bytes = 16 * 1024 * 1024;
const maxMultiple = 40;

/** `make(0),make(1),…`, 16 MB of it. */
function filled(make: (at: number) => string): string {
  const parts: string[] = [];
  for (let at = 0, length = 0; length < bytes; at++) {
    const part = make(at);
    parts.push(part);
    length += part.length + 1;
  }
  return parts.join(",");
}

/** The usual document with one member replaced; `json` is the member's value. */
function documentWith(member: string, json: string): string {
  const { [member as "version"]: _, ...rest } = exampleDocument();
  return `${JSON.stringify(rest).slice(0, -1)},"${member}":${json}}`;
}

const hostile: readonly (readonly [what: string, text: () => string, fault: RegExp])[] = [
  [
    "a string in the place of the placements",
    () => documentWith("placements", `"${"a".repeat(bytes)}"`),
    /^placements: expected an object, got "aaaa/m,
  ],
  ["lists within lists", () => "[".repeat(bytes), /nested deeper than 16 levels/],
  ["objects within objects", () => '{"a":'.repeat(bytes / 5), /nested deeper than 16 levels/],
  [
    "empty lists",
    () => documentWith("placements", `[${filled(() => "[]")}]`),
    /a list of more than 1000 elements/,
  ],
  [
    "empty placements",
    () => documentWith("placements", `{${filled((at) => `"p${at}":{}`)}}`),
    /^placements: must have at most 10000 entries$/m,
  ],
  [
    "keys that lead nowhere",
    () => documentWith("routingTable", `{${filled((at) => `"k${at}":"?"`)}}`),
    /… and more than 9900 more$/,
  ],
  ["unknown properties", () => `{${filled((at) => `"u${at}":1`)}}`, /… and \d+ more$/],
  ["one name again and again", () => `{${filled(() => '"a":1')}}`, /^a: is there more than once/],
  [
    "one endless key",
    () => documentWith("routingTable", `{"${"k".repeat(bytes)}\\u0001":"tier1"}`),
    /at most 256 bytes/,
  ],
];

describe("16 MB of", () => {
  test.each(hostile)(
    "%s are refused at the cost of an honest table",
    { timeout: 60_000 },
    async (_, text, fault) => {
      const cost = await decodingCost(decoder, text(), maxMultiple * bytes);
      expect(cost.ok).toBe(false);
      expect(cost.faults.join("\n")).toMatch(fault);
      expect(cost.faults.length).toBeLessThanOrEqual(101);
      expect(cost.faults.join("\n").length).toBeLessThan(101 * 310);
      expect(cost.growthBytes).toBeLessThan(maxMultiple * bytes);
    },
  );

  test("an honest table are taken at that cost", { timeout: 60_000 }, async () => {
    const text = documentWith("routingTable", `{${filled((at) => `"tenant-${at}":"tier1"`)}}`);
    const cost = await decodingCost(decoder, text, maxMultiple * bytes);
    expect(cost.ok).toBe(true);
    expect(cost.growthBytes).toBeLessThan(maxMultiple * bytes);
  });
});
