import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type HealthState, INITIAL_HEALTH, nextHealth } from "../starter/health-state.ts";

const lookAtFailures = "health-state.ts, nextHealth, the healthy half";
const lookAtSuccesses = "health-state.ts, nextHealth, the unhealthy half";

interface Run {
  readonly state: HealthState;
  readonly kinds: string;
}

const letters = new Map<string, string>([
  ["healthy", "H"],
  ["unhealthy", "U"],
]);
const letter = (state: HealthState) => letters.get(state.kind) ?? "?";

/** One more probe: `+` succeeded, `-` failed. */
function next(run: Run, probe: string | undefined, limits: { rise: number; fall: number }): Run {
  const state = nextHealth(run.state, probe === "+", limits);
  return { state, kinds: run.kinds + letter(state) };
}

function runOf(probes: string, limits: { rise: number; fall: number }, start: HealthState): Run {
  return [...probes].reduce<Run>((run, probe) => next(run, probe, limits), { state: start, kinds: "" });
}

/** The state after each probe, from a healthy cell: H healthy, U unhealthy. */
function history(
  probes: string,
  limits = { rise: 2, fall: 3 },
  start: HealthState = { kind: "healthy", failuresInARow: 0 },
): string {
  return runOf(probes, limits, start).kinds;
}

const upTo4 = [1, 2, 3, 4];
const limitsUpTo4 = upTo4.flatMap((rise) => upTo4.map((fall) => [rise, fall] as const));

test("a cell that was never probed counts as healthy", async () => {
  await check({
    sent: "the kind of INITIAL_HEALTH",
    expected: "healthy",
    got: () => INITIAL_HEALTH.kind as string,
    likely: "A router that has just started would refuse every request until its first probes come back.",
    lookAt: "health-state.ts, INITIAL_HEALTH",
    hint: 1,
  });
});

test("a cell that was never probed needs as many failures as any other", async () => {
  await check({
    sent: "rise 2, fall 3, from INITIAL_HEALTH: - - -",
    expected: "HHU",
    got: () => history("---", { rise: 2, fall: 3 }, INITIAL_HEALTH),
    likely: "A cell that nobody has probed yet starts with a count that is not 0, or as unhealthy.",
    lookAt: "health-state.ts, INITIAL_HEALTH",
    hint: 1,
  });
});

test("three failures in a row make a cell unhealthy, two do not", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - - -",
    expected: "HHUUU",
    got: () => history("-----"),
    likely: "The third failure in a row must take the cell out: not an earlier one, and not a later one.",
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("failures that are far apart never make a cell unhealthy", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - + - + - + - + - +",
    expected: "HHHHHHHHHH",
    got: () => history("-+-+-+-+-+"),
    likely: "A failure from before the last success still counts.",
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("a success starts the count of failures again from nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - + - - +",
    expected: "HHHHHH",
    got: () => history("--+--+"),
    likely: "Two failures, a success, two failures: that is never three in a row.",
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("two successes in a row make it healthy again, one does not", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + + +",
    expected: "HHUUHH",
    got: () => history("---+++"),
    likely: "One response is believed. A cell that restarts and crashes again also answers once.",
    lookAt: lookAtSuccesses,
    hint: 2,
  });
});

test("a failure starts the count of successes again from nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + - + - + -",
    expected: "HHUUUUUUU",
    got: () => history("---+-+-+-"),
    likely: "The cell never answers two probes in a row, and still it counts as healthy again.",
    lookAt: lookAtSuccesses,
    hint: 3,
  });
});

test("a cell that came back needs three failures again", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + + - - -",
    expected: "HHUUHHHU",
    got: () => history("---++---"),
    likely: "A count from before the change of state is still in use.",
    lookAt: lookAtFailures,
    hint: 3,
  });
});

test("with rise 1 and fall 1 every probe decides", async () => {
  await check({
    sent: "rise 1, fall 1, from healthy: - + - +",
    expected: "UHUH",
    got: () => history("-+-+", { rise: 1, fall: 1 }),
    likely: "With a limit of 1, the first result already reaches it.",
    lookAt: "health-state.ts, nextHealth, the comparisons with rise and fall",
    hint: 3,
  });
});

test("how long a cell was well or ill before the row changes nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: 20 times +, then - - - - - - - -, then + +",
    expected: `${"H".repeat(20)}HHUUUUUUUH`,
    got: () => history(`${"+".repeat(20)}--------++`),
    likely:
      "Earlier results are saved up: as credit for a cell that was well, or as a debt of one that was ill.",
    lookAt: "health-state.ts, nextHealth",
    hint: 2,
  });
});

test("limits that a reload lowered decide at the next probe", async () => {
  await check({
    sent: "fall 9: - - - -, then fall 2: -; and rise 9, from unhealthy: + + + +, then rise 2: +",
    expected: ["HHHH then U", "UUUU then H"],
    got: () =>
      (["-", "+"] as const).map((probe) => {
        const start: HealthState =
          probe === "-" ? { kind: "healthy", failuresInARow: 0 } : { kind: "unhealthy", successesInARow: 0 };
        const before = runOf(probe.repeat(4), { rise: 9, fall: 9 }, start);
        const after = runOf(probe, { rise: 2, fall: 2 }, before.state);
        return `${before.kinds} then ${after.kinds}`;
      }),
    likely: "The count is already above the new limit, and is compared for being exactly that limit.",
    lookAt: "health-state.ts, nextHealth, the comparisons with rise and fall",
    hint: 3,
  });
});

test("each result depends only on the state and the limits handed in", async () => {
  await check({
    sent: "rise 2, fall 3, two cells probed in turn: a - - - -, b + - + -; then one failure added twice to the same state",
    expected: { a: "HHUU", b: "HHHH", "state before": "unchanged", "same failure twice": "H and H" },
    got: () => {
      const limits = { rise: 2, fall: 3 };
      const start: HealthState = { kind: "healthy", failuresInARow: 0 };
      const unprobed: Run = { state: start, kinds: "" };
      const cells = { a: unprobed, b: unprobed };
      for (const [a, b] of ["-+", "--", "-+", "--"]) {
        cells.a = next(cells.a, a, limits);
        cells.b = next(cells.b, b, limits);
      }
      const state: HealthState = { kind: "healthy", failuresInARow: 1 };
      const twice = [1, 2].map(() => letter(nextHealth(state, false, limits)));
      return {
        a: cells.a.kinds,
        b: cells.b.kinds,
        "state before": state.failuresInARow === 1 ? "unchanged" : "changed",
        "same failure twice": twice.join(" and "),
      };
    },
    likely: "A count is kept outside the state, or the state that was handed in is changed.",
    lookAt: "health-state.ts, nextHealth",
    hint: 3,
  });
});

/** U when a row of `fall` failures has ended later than any row of `rise` successes. */
function byRows(probes: string, { rise, fall }: { rise: number; fall: number }): string {
  const endOfLast = (row: string, until: number) => {
    const at = probes.slice(0, until).lastIndexOf(row);
    return at === -1 ? 0 : at + row.length;
  };
  return Array.from(probes, (_, i) =>
    endOfLast("-".repeat(fall), i + 1) > endOfLast("+".repeat(rise), i + 1) ? "U" : "H",
  ).join("");
}

test("every short history with every small limit gives what the rows say", async () => {
  await check({
    sent: "each history of 1 to 8 probes, from healthy, with each rise and fall from 1 to 4",
    expected: "all as the rows say",
    got: () => {
      for (let length = 1; length <= 8; length++) {
        for (let bits = 0; bits < 2 ** length; bits++) {
          const probes = bits.toString(2).padStart(length, "0").replaceAll("0", "-").replaceAll("1", "+");
          for (const [rise, fall] of limitsUpTo4) {
            const wanted = byRows(probes, { rise, fall });
            const got = history(probes, { rise, fall });
            if (got !== wanted)
              return `rise ${rise}, fall ${fall}, ${[...probes].join(" ")}: ${got}, but the rows say ${wanted}`;
          }
        }
      }
      return "all as the rows say";
    },
    likely:
      "Something other than the results in a row decides. The first history that shows it stands above.",
    lookAt: "health-state.ts, nextHealth",
    hint: 2,
  });
});
