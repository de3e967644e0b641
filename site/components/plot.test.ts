// Where the marks of a plot stand, and what is read for it.

import { describe, expect, test } from "vitest";
import benchPlots from "./bench-plots.data.ts";
import { readLadder } from "./ladder.data.ts";
import { linearTicks, logTicks, type PlotSource, plotOf } from "./plot.ts";
import { rungsOf } from "./rungs.ts";

const source = (values: readonly number[], scale: PlotSource["scale"]): PlotSource => ({
  title: "t",
  note: "n",
  scale,
  rows: values.map((median, index) => ({
    label: `r${index}`,
    isOurs: false,
    values: [{ median }],
    cells: [],
  })),
  columns: ["c"],
  taken: "",
  command: "",
});
const placesOf = (plot: ReturnType<typeof plotOf>) => plot.rows.map(({ marks }) => marks[0]?.at);

describe("a plot's scale", () => {
  test("has round steps that hold every value", () => {
    expect(linearTicks([19.2, 186])).toEqual([0, 50, 100, 150, 200]);
    expect(linearTicks([1, 6.4])).toEqual([0, 2, 4, 6, 8]);
    expect(linearTicks([1.02, 1.47], 1)).toEqual([1, 1.1, 1.2, 1.3, 1.4, 1.5]);
    expect(logTicks([15.9, 275])).toEqual([10, 20, 50, 100, 200, 500]);
    expect(logTicks([0.27, 2183])).toEqual([0.1, 1, 10, 100, 1_000, 10_000]);
  });

  test("that is logarithmic refuses what has no place on it", () => {
    expect(() => logTicks([0, 3])).toThrow("above 0");
  });

  test("gives equal ratios equal distances where it is logarithmic, and equal differences where it is not", () => {
    const [a = 0, b = 0, c = 0] = placesOf(plotOf(source([1, 10, 100], "log")));
    expect(b - a).toBeCloseTo(c - b, 1);
    const [d = 0, e = 0, f = 0] = placesOf(plotOf(source([0, 10, 20], "linear")));
    expect(e - d).toBeCloseTo(f - e, 1);
  });
});

test("every saved plot keeps its marks inside, in the order of its scale, and has the figures in its table", () => {
  const plots = Object.entries(benchPlots.load());
  expect(plots.length).toBeGreaterThan(10);
  for (const [name, { rows, table, columns, reference }] of plots) {
    for (const { marks } of rows)
      for (const { at, from, to } of marks) {
        expect(from, name).toBeLessThanOrEqual(at);
        expect(at, name).toBeLessThanOrEqual(to);
        expect(Math.min(from, 0) >= 0 && to <= 100, name).toBe(true);
      }
    if (reference !== null) expect(reference.at, name).toBeGreaterThanOrEqual(0);
    for (const row of table) expect(row, name).toHaveLength(columns.length);
    expect(JSON.stringify(table), name).not.toMatch(/NaN|undefined/);
  }
});

describe("the rungs of m5", () => {
  const ladder = (head: string, ...rows: string[]) =>
    readLadder(
      ["## The ladder", `| Rung | ${head} | Cost |`, "| - | - | - |", ...rows, "", "## Next"].join("\n"),
    );

  test("are told in one convention: what a request would cost without the step", () => {
    expect(rungsOf(ladder("Without it", "| one `write` | 1.34 [1.32] | b |"))).toEqual([
      { name: "one write", ratios: [1.34, 1.32] },
    ]);
    expect(rungsOf(ladder("Ratio to before", "| a | 0.80, 0.50 | b |"))).toEqual([
      { name: "a", ratios: [1.25, 2] },
    ]);
  });

  test("that are not there stop the build", () => {
    expect(() => rungsOf(ladder("Measured", "| a | 1.07 | b |"))).toThrow("no table");
  });
});
