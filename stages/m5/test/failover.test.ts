import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ChainedPlacement, chooseTarget, fallbackChain, type Refusal } from "../src/failover.ts";

const tableOf = (...placements: ChainedPlacement[]) => ({
  placements: new Map(placements.map((each) => [each.name, each])),
});
const tier = (name: string, ...fallback: string[]): ChainedPlacement => ({ name, kind: "tier", fallback });
const dedicated = (name: string, ...fallback: string[]): ChainedPlacement => ({
  name,
  kind: "dedicated",
  fallback,
});

/** Chooses from `primary`, where `refusals` says who refuses and why; also tells who was asked, in order. */
function choose(
  table: ReturnType<typeof tableOf>,
  primary: string,
  refusals: Record<string, Refusal["reason"] | Refusal>,
) {
  const asked: string[] = [];
  const most = table.placements.size;
  const start = table.placements.get(primary);
  if (start === undefined) throw new Error(`no placement "${primary}"`);
  const choice = chooseTarget(table, start, ({ name }) => {
    asked.push(name);
    // A chain without an end must fail the test, not hang it.
    if (asked.length > most) throw new Error(`asked in a circle: ${asked.join(", ")}`);
    const refusal = refusals[name];
    return typeof refusal === "string" ? { reason: refusal } : refusal;
  });
  return { choice, asked };
}

describe("chooseTarget", () => {
  const table = tableOf(
    tier("tier1", "tier2", "tier3"),
    tier("tier2"),
    tier("tier3", "tier4"),
    tier("tier4"),
  );

  test("asks nobody else when the primary takes the request", () => {
    const { choice, asked } = choose(table, "tier1", {});
    expect(choice).toMatchObject({ kind: "primary", target: { name: "tier1" }, skipped: [] });
    expect(asked).toEqual(["tier1"]);
  });

  test.each(["unhealthy", "circuit-open", "connect-failed"] as const)(
    "fails over from a primary that is %s",
    (reason) => {
      const { choice } = choose(table, "tier1", { tier1: reason });
      expect(choice).toMatchObject({
        kind: "fallback",
        target: { name: "tier2" },
        from: { name: "tier1" },
        reason,
      });
    },
  );

  test("an overloaded primary does not fail over", () => {
    const { choice, asked } = choose(table, "tier1", { tier1: { reason: "overloaded", retryAfterMs: 1000 } });
    expect(choice).toEqual({
      kind: "none",
      reason: "overloaded",
      retryAfterMs: 1000,
      skipped: [{ placement: "tier1", reason: "overloaded" }],
    });
    expect(asked).toEqual(["tier1"]);
  });

  test("asks a fallback like everyone else: one whose own limit or circuit refuses is skipped", () => {
    const { choice, asked } = choose(table, "tier1", {
      tier1: "unhealthy",
      tier2: "overloaded",
      tier3: "circuit-open",
    });
    expect(choice).toMatchObject({
      kind: "fallback",
      target: { name: "tier4" },
      reason: "unhealthy",
      skipped: [
        { placement: "tier1", reason: "unhealthy" },
        { placement: "tier2", reason: "overloaded" },
        { placement: "tier3", reason: "circuit-open" },
      ],
    });
    expect(asked).toEqual(["tier1", "tier2", "tier3", "tier4"]);
  });

  test("when nobody takes it, the shortest wait is told, with the primary's reason", () => {
    const { choice } = choose(table, "tier1", {
      tier1: { reason: "circuit-open", retryAfterMs: 9000 },
      tier2: { reason: "overloaded" },
      tier3: { reason: "circuit-open", retryAfterMs: 2000 },
      tier4: { reason: "circuit-open", retryAfterMs: 4000 },
    });
    expect(choice).toMatchObject({ kind: "none", reason: "circuit-open", retryAfterMs: 2000 });
  });

  test("a placement without a chain has nobody: isolation comes before availability", () => {
    const { choice, asked } = choose(table, "tier2", { tier2: "unhealthy" });
    expect(choice).toMatchObject({ kind: "none", reason: "unhealthy", retryAfterMs: undefined });
    expect(asked).toEqual(["tier2"]);
  });
});

describe("fallbackChain", () => {
  function chain(table: ReturnType<typeof tableOf>, primary: ChainedPlacement): string[] {
    const names: string[] = [];
    for (const { name } of fallbackChain(table, primary)) {
      if (names.push(name) > table.placements.size) throw new Error(`no end: ${names.join(", ")}`);
    }
    return names;
  }

  test("first all that the primary names, then what those name, each once", () => {
    const primary = tier("a", "b", "c");
    const table = tableOf(primary, tier("b", "d", "c"), tier("c", "e"), tier("d"), tier("e", "d"));
    expect(chain(table, primary)).toEqual(["b", "c", "d", "e"]);
  });

  test("ends in a table with loops", () => {
    const primary = tier("a", "b");
    expect(chain(tableOf(primary, tier("b", "c"), tier("c", "a", "b", "c")), primary)).toEqual(["b", "c"]);
  });

  test("leaves names out that nobody has", () => {
    const primary = tier("a", "ghost", "__proto__", "b");
    expect(chain(tableOf(primary, tier("b")), primary)).toEqual(["b"]);
  });

  test("a dedicated cell may fail over to a tier, never to or through another dedicated cell", () => {
    const primary = dedicated("visa", "tier1");
    const table = tableOf(primary, tier("tier1", "amex"), dedicated("amex", "tier2"), tier("tier2"));
    expect(chain(table, primary)).toEqual(["tier1"]);
  });
});

describe("properties over any table, validated or not", () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const anyTable = fc
    .tuple(
      ...names.map((name) =>
        fc.record({
          name: fc.constant(name),
          kind: fc.constantFrom("dedicated" as const, "tier" as const, "tier" as const),
          fallback: fc.option(fc.array(fc.constantFrom(...names, "ghost"), { maxLength: 5 }), {
            nil: undefined,
          }),
        }),
      ),
    )
    .map((placements) => tableOf(...placements));
  const anyRefusals = fc.dictionary(
    fc.constantFrom(...names),
    fc.constantFrom<Refusal["reason"]>("unhealthy", "circuit-open", "connect-failed", "overloaded"),
    { maxKeys: 6, size: "max" },
  );

  test("never loops, asks each placement once, picks nobody that refused", () => {
    let fallbacks = 0;
    fc.assert(
      fc.property(anyTable, fc.constantFrom(...names), anyRefusals, (table, primary, refusals) => {
        const { choice, asked } = choose(table, primary, refusals);
        expect(new Set(asked).size).toBe(asked.length);
        if (choice.kind !== "none") expect(refusals[choice.target.name]).toBeUndefined();
        if (choice.kind === "fallback") fallbacks += 1;
        expect(choice.skipped.map(({ placement }) => placement)).toEqual(
          choice.kind === "none" ? asked : asked.slice(0, -1),
        );
      }),
      { numRuns: 500 },
    );
    expect(fallbacks, "the generator must reach fallbacks").toBeGreaterThan(5);
  });

  test("never asks and never picks a dedicated cell other than the primary", () => {
    fc.assert(
      fc.property(anyTable, fc.constantFrom(...names), anyRefusals, (table, primary, refusals) => {
        const { asked } = choose(table, primary, refusals);
        for (const name of asked.slice(1)) expect(table.placements.get(name)?.kind).toBe("tier");
      }),
      { numRuns: 500 },
    );
  });

  test("goes only where a chain of names leads from the primary", () => {
    fc.assert(
      fc.property(anyTable, fc.constantFrom(...names), (table, primary) => {
        const { asked } = choose(
          table,
          primary,
          Object.fromEntries(names.map((name) => [name, "unhealthy"])),
        );
        const named = new Set([primary]);
        for (const name of asked) {
          expect(named).toContain(name);
          for (const next of table.placements.get(name)?.fallback ?? []) named.add(next);
        }
      }),
      { numRuns: 500 },
    );
  });
});
