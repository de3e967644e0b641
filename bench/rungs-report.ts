// Turns a comparison of m5 with its copies into what each rung saves, and into a table for the terminal.
import { cpuByRound, methodLines, type Report, type Row, warnings } from "./report.ts";
import { coverageOf, type RungsReport, type Saving, stepsOf, storyOf, withInterval } from "./rung-savings.ts";
import { noise, rungs } from "./rungs.ts";
import { medianInterval, ratiosByRound } from "./statistics.ts";
import { formatTable } from "./table.ts";

export function reportRungs({ rows, ...report }: Report): RungsReport {
  const m5 = cpuByRound(rows.find(({ name }) => name === "m5") ?? { rounds: [] });
  const savings = [...rungs.map(({ name }) => name), noise].flatMap((name): Saving[] => {
    const row = rows.find((each) => each.name === name);
    const saved = row === undefined ? [] : percentSaved(m5, cpuByRound(row));
    return saved.length === 0 ? [] : [{ name, savedPercent: medianInterval(saved) }];
  });
  return { ...report, contenders: rows.map(contenderOf), rungs: savings };
}

/** 1 − m5 ÷ (m5 without the step), in each round. */
function percentSaved(m5: ReadonlyMap<number, number>, without: ReadonlyMap<number, number>): number[] {
  return ratiosByRound(m5, without).map((ratio) => 100 * (1 - ratio));
}

function contenderOf(row: Row): RungsReport["contenders"][number] {
  const { name, version, cpuUsPerRequest } = row;
  const rounds = [...cpuByRound(row)].map(([round, us]) => ({
    round,
    cpuUsPerRequest: Number(us.toFixed(2)),
  }));
  return { name, version, cpuUsPerRequest, rounds };
}

/** The table in plain text, and what one must know to read it. */
export function formatRungs(report: Report): string {
  const result = reportRungs(report);
  const rows = stepsOf(result).map(({ step, part, savedPercent }) => [
    step,
    part,
    withInterval(savedPercent),
  ]);
  return [
    ...methodLines(report),
    `CPU time per request: ${storyOf(result)}`,
    "Saved: 1 − m5 ÷ (m5 without the step), by round; the median, and an interval that holds the true one in " +
      `${result.rungs.length === 0 ? "no" : coverageOf(result)} of all runs.`,
    "",
    formatTable(["step", "part", "saved"], rows),
    "",
    ...warnings(report),
  ].join("\n");
}
