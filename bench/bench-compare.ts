// `npm run bench`: starts everyone, compares, reports.
import { compare } from "./compare.ts";
import { deliver, showProgress } from "./deliver.ts";
import { Lineup, select } from "./lineup.ts";
import { chooseClosedLoop } from "./load/closed-loop.ts";
import { describeMachine } from "./machine.ts";
import type { BenchOptions } from "./options.ts";
import { formatReport, type Report, summarise } from "./report.ts";

/** Returns the exit code: 0 when everyone that is installed was measured without an error. */
export async function benchCompare(options: BenchOptions): Promise<number> {
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
  const report: Report = {
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
  deliver(options, report, formatReport(report, options.against));
  return failed.length > 0 || report.rows.some((row) => row.voidRounds > 0) ? 2 : 0;
}
