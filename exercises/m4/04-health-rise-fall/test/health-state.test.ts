import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type HealthState, INITIAL_HEALTH, nextHealth } from "../starter/health-state.ts";

const lookAtFailures = "health-state.ts, nextHealth, the healthy half";
const lookAtSuccesses = "health-state.ts, nextHealth, the unhealthy half";

/** The state after each probe, from a healthy cell: `+` succeeded, `-` failed; H healthy, U unhealthy. */
function history(probes: string, limits = { rise: 2, fall: 3 }): string {
  let state: HealthState = { kind: "healthy", failuresInARow: 0 };
  let kinds = "";
  for (const probe of probes) {
    state = nextHealth(state, probe === "+", limits);
    kinds += state.kind === "healthy" ? "H" : "U";
  }
  return kinds;
}

test("a cell that was never probed counts as healthy", async () => {
  await check({
    sent: "the kind of INITIAL_HEALTH",
    expected: "healthy",
    got: () => INITIAL_HEALTH.kind as string,
    likely: "A router that has just started would refuse every request until the first probes are back.",
    lookAt: "health-state.ts, INITIAL_HEALTH",
    hint: 1,
  });
});

test("three failures in a row make a cell unhealthy, two do not", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - - -",
    expected: "HHUUU",
    got: () => history("-----"),
    likely: "The third failure in a row decides.",
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("failures that are far apart never make a cell unhealthy", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - + - + - + - + - +",
    expected: "HHHHHHHHHH",
    got: () => history("-+-+-+-+-+"),
    likely: "A failure of long ago still counts.",
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("a success starts the count of failures again from nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - + - - +",
    expected: "HHHHHH",
    got: () => history("--+--+"),
    likely: "Two failures, a success, two failures: never three in a row.",
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("two successes in a row make it healthy again, one does not", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + + +",
    expected: "HHUUHH",
    got: () => history("---+++"),
    likely: "A cell that answers once has not shown yet that it can stay.",
    lookAt: lookAtSuccesses,
    hint: 2,
  });
});

test("a failure starts the count of successes again from nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + - + - + -",
    expected: "HHUUUUUUU",
    got: () => history("---+-+-+-"),
    likely: "The cell never answers two probes in a row, and yet it is let back in.",
    lookAt: lookAtSuccesses,
    hint: 3,
  });
});

test("a cell that came back needs three failures again", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + + - - -",
    expected: "HHUUHHHU",
    got: () => history("---++---"),
    likely: "Each state begins to count from nothing.",
    lookAt: lookAtFailures,
    hint: 3,
  });
});

test("with rise 1 and fall 1 every probe decides", async () => {
  await check({
    sent: "rise 1, fall 1, from healthy: - + - +",
    expected: "UHUH",
    got: () => history("-+-+", { rise: 1, fall: 1 }),
    likely: "A limit of 1 is reached by the first result.",
    lookAt: "health-state.ts, nextHealth, the comparisons with rise and fall",
    hint: 3,
  });
});
