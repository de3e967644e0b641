// Where the marks of a plot stand, and what is read for it.

import { describe, expect, test } from "vitest";
import benchPlots from "./bench-plots.data.ts";
import { linearTicks, logTicks, type PlotSource, plotOf } from "./plot.ts";

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
    expect(linearTicks([-3, 24], -3)).toEqual([-10, 0, 10, 20, 30]);
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

test("no two labels of a scale meet, on a phone as well", () => {
  for (const [name, { ticks }] of Object.entries(benchPlots.load())) {
    const spans = ticks
      .filter(({ label }) => label !== "")
      .map(({ at, label }) => {
        const [middle, width] = [at * 3.3, label.length * 6.5];
        const left = at < 4 ? middle : at > 96 ? middle - width : middle - width / 2;
        return { left, right: left + width };
      });
    for (const [at, { right }] of spans.slice(0, -1).entries())
      expect(spans[at + 1]?.left, `${name}: ${ticks.map(({ label }) => label)}`).toBeGreaterThanOrEqual(
        right,
      );
  }
});

test("the plot of m5's rungs ends with the row in which nothing was taken out, and tells it apart", () => {
  const { rows = [], reference } = benchPlots.load()["rungs"] ?? {};
  expect(rows.map(({ isOurs }) => isOurs)).toEqual(rows.map((_, at) => at < rows.length - 1));
  expect(rows.at(-1)?.label).toContain("nothing taken out");
  expect(reference?.label).toBe("nothing saved");
});
