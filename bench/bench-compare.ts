// `npm run bench`: starts everyone, compares, reports. Other commands that compare share its report.
import { compare } from "./compare.ts";
import { deliver, showProgress } from "./deliver.ts";
import { Lineup, select } from "./lineup.ts";
import { chooseClosedLoop } from "./load/closed-loop.ts";
import { describeMachine } from "./machine.ts";
import type { BenchOptions } from "./options.ts";
import { formatReport, type Report, summarise } from "./report.ts";

/** Returns the exit code. */
export async function benchCompare(options: BenchOptions): Promise<number> {
  const report = await takeReport(options);
  deliver(options, report, formatReport(report, options.against));
  return exitCode(report);
}

/** 0 when everyone that is installed was measured without an error. */
export function exitCode({ failed, rows }: Report): number {
  return failed.length > 0 || rows.some((row) => row.voidRounds > 0) ? 2 : 0;
}

/** Starts everyone and measures them. */
export async function takeReport(options: BenchOptions): Promise<Report> {
  const machine = describeMachine();
  const closedLoop = chooseClosedLoop();
  await using lineup = new Lineup();
  const { entrants, missing, failed } = await lineup.startAll(
    [...(options.only ?? select(undefined)), ...options.also],
    options,
  );
  const comparison = await compare(entrants, { ...options, closedLoop, onProgress: showProgress });
  const { rounds, seconds, warmUpSeconds, connections, cpuOnly } = options;
  showProgress("");
  return {
    kind: options.command,
    takenAt: new Date().toISOString(),
    machine,
    method: {
      load: closedLoop.name,
      rounds,
      seconds,
      warmUpSeconds,
      connections,
      rate: cpuOnly ? undefined : comparison.rate,
      requestFields: 6,
      bodyBytes: 512,
    },
    rows: summarise(comparison),
    missing,
    failed,
  };
}
