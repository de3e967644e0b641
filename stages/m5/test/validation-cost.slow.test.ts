import { describe, expect, test } from "vitest";
import { decodingCost } from "../../../shared/testkit/decoding-cost.ts";
import type { ChainedPlacement } from "../src/failover.ts";
import { findFallbackFaults } from "../src/fallback-faults.ts";

const decoder = new URL("../src/table-decoder.ts", import.meta.url);
const bytes = 16 * 1024 * 1024;
const maxMultiple = 40;

/** A map of placements that counts how often somebody looks. */
class CountingMap extends Map<string, ChainedPlacement> {
  looks = 0;

  override get(name: string): ChainedPlacement | undefined {
    this.looks += 1;
    return super.get(name);
  }
}

/** `count` tiers; `fallbackOf` names those that stand in for one, by number. */
function tiers(count: number, fallbackOf: (at: number) => readonly number[]): CountingMap {
  const placements = new CountingMap();
  for (let at = 0; at < count; at++) {
    const fallback = fallbackOf(at).map((each) => `p${each % count}`);
    placements.set(`p${at}`, { name: `p${at}`, kind: "tier", fallback });
  }
  return placements;
}

describe("the largest table", () => {
  const count = 10_000;
  const sixteen = Array.from({ length: 16 }, (_, k) => k);

  test.each<[string, (at: number) => readonly number[], number]>([
    ["one chain through all placements", (at) => (at + 1 < count ? [at + 1] : []), 0],
    ["one loop through all placements", (at) => [at + 1], 1],
    ["a loop of each two placements", (at) => [at % 2 === 0 ? at + 1 : at - 1], count / 2],
    [
      "sixteen fallbacks of each, ahead",
      (at) => sixteen.map((k) => at + k + 1).filter((each) => each < count),
      0,
    ],
    [
      "sixteen fallbacks of each, in every direction",
      (at) => sixteen.map((k) => at * 7 + k * 613 + 1),
      Number.NaN,
    ],
    ["a loop with a shortcut at each placement", (at) => [at + 1, at + 2], Number.NaN],
  ])("with %s is checked in a time that grows with its size", (_, fallbackOf, faults) => {
    const placements = tiers(count, fallbackOf);
    const entries = [...placements.values()].reduce((sum, { fallback = [] }) => sum + fallback.length, 0);
    placements.looks = 0;
    const found = findFallbackFaults(placements);
    if (!Number.isNaN(faults)) expect(found).toHaveLength(faults);
    else expect(found.length).toBeGreaterThan(100);
    // Each placement once to find circles, each entry once; and a bounded number to name the loops.
    expect(placements.looks).toBeLessThan(3 * (count + entries) + 250_000);
  });

  test("has each entry that closes a loop blamed, when there are too many to name their ways", () => {
    const found = findFallbackFaults(tiers(2_000, (at) => [at + 1, at + 2]));
    expect(found.at(-1)?.message).toMatch(
      /^Remove "p\d+" from the fallbacks of "p1999": it leads back there$/,
    );
  });
});

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

describe("16 MB of", () => {
  test("limits of keys without a number are refused at the cost of an honest table", {
    timeout: 60_000,
  }, async () => {
    const rest =
      '"version":"1","defaultPlacement":"t","routingTable":{},"placements":{"t":{"kind":"tier","url":"http://a"}}';
    const text = `{${rest},"keyLimits":{${filled((at) => `"k${at}":{}`)}}}`;
    const cost = await decodingCost(decoder, text, maxMultiple * bytes);
    expect(cost.faults.length).toBe(101);
    expect(cost.faults.at(-1)).toBe("… and more than 9900 more");
    expect(cost.growthBytes).toBeLessThan(maxMultiple * bytes);
  });
});
