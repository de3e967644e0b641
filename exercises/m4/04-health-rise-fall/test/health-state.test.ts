import { test } from "vitest";
import { check, shows } from "../../../support/check.ts";
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

/** What the beginning of a history shows whose probes begin with `---+`; undefined when it is HHUU. */
function beginning(got: string): string | undefined {
  if (!got.startsWith("HH")) return "Fewer than three failures took the cell out.";
  if (got[2] === "H") return "Three failures in a row did not take the cell out.";
  return got[3] === "H"
    ? "One success brought the cell back. A cell that crashes again answers once, too."
    : undefined;
}

const upTo4 = [1, 2, 3, 4];
const limitsUpTo4 = upTo4.flatMap((rise) => upTo4.map((fall) => [rise, fall] as const));

test("a cell that was never probed counts as healthy", async () => {
  await check({
    sent: "the kind of INITIAL_HEALTH",
    expected: "healthy",
    got: () => INITIAL_HEALTH.kind as string,
    likely: shows((kind) =>
      kind === "unhealthy"
        ? "A router that has just started would refuse every request until its first probes come back."
        : undefined,
    ),
    lookAt: "health-state.ts, INITIAL_HEALTH",
    hint: 1,
  });
});

test("a cell that was never probed needs as many failures as any other", async () => {
  await check({
    sent: "rise 2, fall 3, from INITIAL_HEALTH: - - -",
    expected: "HHU",
    got: () => history("---", { rise: 2, fall: 3 }, INITIAL_HEALTH),
    likely: shows((got) => {
      const at = got.indexOf("U");
      if (at === 0)
        return "One failure took it out: it starts as unhealthy, or with failures on its account.";
      return at === 1
        ? "Two failures took it out: it starts with one."
        : "Three failures did not take it out.";
    }),
    lookAt: "health-state.ts, INITIAL_HEALTH",
    hint: 1,
  });
});

test("three failures in a row make a cell unhealthy, two do not", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - - -",
    expected: "HHUUU",
    got: () => history("-----"),
    likely: shows((got) => {
      const at = got.indexOf("U");
      if (at === 2) return "It became healthy again while it was still failing.";
      return at === 0 || at === 1
        ? "Fewer than three failures took it out."
        : "Three failures did not take it out.";
    }),
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("failures that are far apart never make a cell unhealthy", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - + - + - + - + - +",
    expected: "HHHHHHHHHH",
    got: () => history("-+-+-+-+-+"),
    likely: shows((got) => {
      const at = got.indexOf("U");
      if (at === 0) return "One failure took it out.";
      return at % 2 === 0 ? "Failures from before the last success still count." : undefined;
    }),
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("a success starts the count of failures again from nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - + - - +",
    expected: "HHHHHH",
    got: () => history("--+--+"),
    likely: shows((got) => {
      const at = got.indexOf("U");
      if (at < 2) return "Fewer than three failures took it out.";
      return at === 3 || at === 4 ? "Failures from before the success still count." : undefined;
    }),
    lookAt: lookAtFailures,
    hint: 2,
  });
});

test("two successes in a row make it healthy again, one does not", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + + +",
    expected: "HHUUHH",
    got: () => history("---+++"),
    likely: shows(
      (got) => beginning(got) ?? (got[4] === "U" ? "Two successes did not bring the cell back." : undefined),
    ),
    lookAt: lookAtSuccesses,
    hint: 2,
  });
});

test("a failure starts the count of successes again from nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + - + - + -",
    expected: "HHUUUUUUU",
    got: () => history("---+-+-+-"),
    likely: shows((got) => {
      const back = got.indexOf("H", 4);
      return (
        beginning(got) ?? (back % 2 === 1 ? "Successes from before the last failure still count." : undefined)
      );
    }),
    lookAt: lookAtSuccesses,
    hint: 3,
  });
});

test("a cell that came back needs three failures again", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: - - - + + - - -",
    expected: "HHUUHHHU",
    got: () => history("---++---"),
    likely: shows((got) => {
      if (beginning(got) !== undefined) return beginning(got);
      if (got[4] === "U") return "Two successes did not bring the cell back.";
      return got[7] === "H"
        ? "Three failures did not take it out again."
        : "Fewer than three failures took it out again: something from before still counts.";
    }),
    lookAt: lookAtFailures,
    hint: 3,
  });
});

test("with rise 1 and fall 1 every probe decides", async () => {
  await check({
    sent: "rise 1, fall 1, from healthy: - + - +",
    expected: "UHUH",
    got: () => history("-+-+", { rise: 1, fall: 1 }),
    likely: shows((got) => {
      if (got[0] === "H") return "One failure did not take the cell out, although `fall` is 1.";
      if (got[1] === "U") return "One success did not bring the cell back, although `rise` is 1.";
      return "The first change of state was right, and the next one was not: something is left of it.";
    }),
    lookAt: "health-state.ts, nextHealth, the comparisons with rise and fall",
    hint: 3,
  });
});

test("how long a cell was healthy or unhealthy before the row changes nothing", async () => {
  await check({
    sent: "rise 2, fall 3, from healthy: 20 times +, then - - - - - - - -, then + +",
    expected: `${"H".repeat(20)}HHUUUUUUUH`,
    got: () => history(`${"+".repeat(20)}--------++`),
    likely: shows((got) => {
      const at = got.indexOf("U");
      if (at !== -1 && at < 22) return "Fewer than three failures took the cell out.";
      if (at !== 22)
        return "Three failures did not take it out: more are needed, or its successes are a credit.";
      if (got[28] === "H") return "One success brought the cell back.";
      return got[29] === "U"
        ? "Two successes did not bring it back: more are needed, or its failures are a debt."
        : undefined;
    }),
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
    likely: shows(([falling = "", rising = ""]) => {
      if (falling.slice(0, 4).includes("U")) return "Fewer than `fall` failures took the cell out.";
      if (rising.slice(0, 4).includes("H")) return "Fewer than `rise` successes brought the cell back.";
      return "The lowered limit decided nothing: the old one still holds, or a count beyond it does not reach it.";
    }),
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
    likely: shows((got) => {
      if (got["state before"] === "changed") return "The state that was handed in was changed.";
      if (got["same failure twice"] !== "H and H")
        return "The same failure on the same state did not come out the same: something else remembers.";
      if (got.b !== "HHHH")
        return "Cell b became unhealthy without two failures in a row: does it count those of a?";
      return "Cell a did not become unhealthy with its third failure.";
    }),
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
    likely: shows(
      () => "Every shorter history came out right: it is the last probe of this one that was judged wrongly.",
    ),
    lookAt: "health-state.ts, nextHealth",
    hint: 2,
  });
});
