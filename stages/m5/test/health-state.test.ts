import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type HealthState, INITIAL_HEALTH, nextHealth } from "../src/health-state.ts";

const settings = { rise: 2, fall: 3 };

/** The kinds after each probe: `+` succeeded, `-` failed; H healthy, U unhealthy. */
function history(probes: string, limits = settings): string {
  let state: HealthState = INITIAL_HEALTH;
  let kinds = "";
  for (const probe of probes) {
    state = nextHealth(state, probe === "+", limits);
    kinds += state.kind === "healthy" ? "H" : "U";
  }
  return kinds;
}

describe("nextHealth", () => {
  test("a cell that was never probed counts as healthy", () => {
    expect(INITIAL_HEALTH.kind).toBe("healthy");
  });

  test.each([
    ["---", "HHU", "three failures in a row make it unhealthy"],
    ["--+--+", "HHHHHH", "a success starts the count again"],
    ["---++", "HHUUH", "two successes in a row make it healthy again"],
    ["---+-+-", "HHUUUUU", "a failure starts the count again"],
    ["---++--", "HHUUHHH", "a cell that came back needs three failures again"],
    ["-----++", "HHUUUUH", "failures beyond the third add nothing"],
  ])("%s → %s: %s", (probes, kinds) => {
    expect(history(probes)).toBe(kinds);
  });

  test("with rise 1 and fall 1 every probe decides", () => {
    expect(history("-+-+", { rise: 1, fall: 1 })).toBe("UHUH");
  });

  test("property: it changes exactly when the last `fall` failed or the last `rise` succeeded, and stays else", () => {
    const limits = fc.record({ rise: fc.integer({ min: 1, max: 5 }), fall: fc.integer({ min: 1, max: 5 }) });
    const probes = fc.array(fc.boolean(), { maxLength: 80, size: "max" });
    fc.assert(
      fc.property(limits, probes, ({ rise, fall }, results) => {
        let state: HealthState = INITIAL_HEALTH;
        let expected: HealthState["kind"] = "healthy";
        for (const [index, result] of results.entries()) {
          state = nextHealth(state, result, { rise, fall });
          const past = results.slice(0, index + 1);
          const allLast = (count: number, kind: boolean) =>
            past.length >= count && past.slice(-count).every((each) => each === kind);
          if (expected === "healthy" && allLast(fall, false)) expected = "unhealthy";
          else if (expected === "unhealthy" && allLast(rise, true)) expected = "healthy";
          expect(state.kind).toBe(expected);
        }
      }),
    );
  });
});
