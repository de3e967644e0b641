import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ChainedPlacement, fallbackChain } from "../src/failover.ts";
import { findFallbackFaults } from "../src/fallback-faults.ts";

const mapOf = (...placements: ChainedPlacement[]) => new Map(placements.map((each) => [each.name, each]));
const tier = (name: string, ...fallback: string[]): ChainedPlacement => ({ name, kind: "tier", fallback });
const dedicated = (name: string, ...fallback: string[]): ChainedPlacement => ({
  name,
  kind: "dedicated",
  fallback,
});

/** Faults as `path: message`, the path with dots. */
const faultsOf = (...placements: ChainedPlacement[]) =>
  findFallbackFaults(mapOf(...placements)).map(({ path, message }) => `${path.join(".")}: ${message}`);

describe("findFallbackFaults", () => {
  test("finds nothing in a sound table, or in one without fallbacks", () => {
    expect(
      faultsOf(
        dedicated("visa", "tier1"),
        tier("tier1", "tier2", "tier3"),
        tier("tier2", "tier3"),
        tier("tier3"),
      ),
    ).toEqual([]);
    expect(faultsOf({ name: "tier1", kind: "tier" })).toEqual([]);
  });

  test("names unknown placements", () => {
    expect(faultsOf(tier("tier1", "tier2", "tier9"), tier("tier2", "__proto__"))).toEqual([
      'placements.tier1.fallback.1: Remove "tier9" from the fallbacks of "tier1": no placement has this name',
      'placements.tier2.fallback.0: Remove "__proto__" from the fallbacks of "tier2": no placement has this name',
    ]);
  });

  test("names a placement that is its own fallback", () => {
    expect(faultsOf(tier("tier1", "tier1"))).toEqual([
      'placements.tier1.fallback.0: Remove "tier1" from the fallbacks of "tier1": a placement cannot stand in for itself',
    ]);
  });

  test("names an entry that is there twice", () => {
    expect(faultsOf(tier("tier1", "tier2", "tier2"), tier("tier2"))).toEqual([
      'placements.tier1.fallback.1: Remove "tier2" from the fallbacks of "tier1": it is there twice',
    ]);
  });

  test("names every way into a dedicated cell, from a tier and from another dedicated cell", () => {
    expect(faultsOf(dedicated("visa"), dedicated("amex", "visa"), tier("tier1", "visa"))).toEqual([
      'placements.amex.fallback.0: Remove "visa" from the fallbacks of "amex": it is another tenant\'s dedicated cell',
      'placements.tier1.fallback.0: Remove "visa" from the fallbacks of "tier1": it is another tenant\'s dedicated cell',
    ]);
  });

  test("names each loop once, with the way it takes", () => {
    expect(faultsOf(tier("a", "b"), tier("b", "a"), tier("c", "d"), tier("d", "e"), tier("e", "c"))).toEqual([
      'placements.a.fallback.0: Break the loop of fallbacks "a" → "b" → "a": a failure would run in a circle',
      'placements.c.fallback.0: Break the loop of fallbacks "c" → "d" → "e" → "c": a failure would run in a circle',
    ]);
  });

  test("tells two loops over the same placements apart", () => {
    const loops = faultsOf(tier("a", "b"), tier("b", "c"), tier("c", "a", "b"));
    expect(loops).toEqual([
      'placements.a.fallback.0: Break the loop of fallbacks "a" → "b" → "c" → "a": a failure would run in a circle',
      'placements.b.fallback.0: Break the loop of fallbacks "b" → "c" → "b": a failure would run in a circle',
    ]);
  });

  test("does not blame a placement that only leads into a loop", () => {
    const faults = findFallbackFaults(mapOf(tier("outside", "a"), tier("a", "b"), tier("b", "a")));
    expect(faults.map(({ path }) => path)).toEqual([["placements", "a", "fallback", 0]]);
  });

  const names = ["a", "b", "c", "d", "e"];
  const anyPlacements = fc
    .tuple(
      ...names.map((name) =>
        fc.record({
          name: fc.constant(name),
          kind: fc.constantFrom("dedicated" as const, "tier" as const, "tier" as const),
          fallback: fc.array(fc.constantFrom(...names, "ghost"), { maxLength: 3 }),
        }),
      ),
    )
    .map((placements) => mapOf(...placements));

  /** Written another way than the subject: follow everything and see whether one comes back. */
  function comesBack(placements: ReadonlyMap<string, ChainedPlacement>, start: string): boolean {
    let reached = new Set(placements.get(start)?.fallback);
    for (let step = 0; step < names.length; step++) {
      reached = new Set([
        ...reached,
        ...[...reached].flatMap((each) => placements.get(each)?.fallback ?? []),
      ]);
    }
    return reached.has(start);
  }

  test("property: no fault means that no placement leads back to itself, into a dedicated cell or to nobody", () => {
    let sound = 0;
    let faulty = 0;
    fc.assert(
      fc.property(anyPlacements, (placements) => {
        const faults = findFallbackFaults(placements);
        if (faults.length > 0) {
          faulty += 1;
          return;
        }
        sound += 1;
        for (const { name, fallback = [] } of placements.values()) {
          expect(comesBack(placements, name)).toBe(false);
          for (const each of fallback) expect(placements.get(each)?.kind).toBe("tier");
        }
      }),
      { numRuns: 3000 },
    );
    // Of 3,000 draws some 35 are sound. Fewer than 20 of them come now and then, without any fault.
    expect(sound, "the generator must reach sound placements").toBeGreaterThan(5);
    expect(faulty).toBeGreaterThan(5);
  });

  test("property: every placement on a loop is on a loop that is named", () => {
    fc.assert(
      fc.property(anyPlacements, (placements) => {
        const messages = findFallbackFaults(placements).map(({ message }) => message);
        for (const name of names) {
          if (comesBack(placements, name)) expect(messages.join("\n")).toContain(`"${name}"`);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("property: in a sound table the chain is all that the names lead to, so nothing is dropped in silence", () => {
    fc.assert(
      fc.property(anyPlacements, fc.constantFrom(...names), (placements, start) => {
        const origin = placements.get(start);
        if (origin === undefined || findFallbackFaults(placements).length > 0) return;
        const chain = [...fallbackChain({ placements }, origin)].map(({ name }) => name);
        const direct = origin.fallback ?? [];
        expect(chain.slice(0, direct.length)).toEqual(direct);
      }),
      { numRuns: 3000 },
    );
  });
});
