// `npm run bench -- bodies`: large bodies through every proxy, both ways, as MiB a second of the proxy's CPU time. Its peak
// memory tells who buffers.
import { join } from "node:path";
import { deliver, showProgress } from "./deliver.ts";
import { absentLines, type Entrant, Lineup, select } from "./lineup.ts";
import { runToEnd } from "./load/run-to-end.ts";
import { describeMachine } from "./machine.ts";
import type { BenchOptions } from "./options.ts";
import { readTree } from "./process-tree.ts";
import { withRange } from "./report.ts";
import { rotatedRounds, type Spread, spread } from "./statistics.ts";
import { formatNumber, formatTable } from "./table.ts";

const bodyMiB = 16;
const streams = 4;
const directions = ["down", "up"] as const;

type Direction = (typeof directions)[number];
type Transfer = {
  readonly bytes: number;
  readonly transfers: number;
  readonly errors: number;
  readonly seconds: number;
};
type BodyRound = Transfer & { readonly direction: Direction; readonly cpuSeconds: number };

async function measure(entrant: Entrant, direction: Direction, options: BenchOptions): Promise<BodyRound> {
  const { url, pid } = entrant.running;
  const { seconds, signal } = options;
  const job = JSON.stringify({ url, direction, bodyBytes: bodyMiB * 2 ** 20, streams, seconds });
  const before = pid === undefined ? 0 : readTree(pid).cpuMs;
  const script = join(import.meta.dirname, "load", "body-process.ts");
  const result = JSON.parse(await runToEnd(process.execPath, [script, job], { seconds, signal })) as Transfer;
  const after = pid === undefined ? 0 : readTree(pid).cpuMs;
  return { ...result, direction, cpuSeconds: (after - before) / 1000 };
}

/** MiB in one direction by what they took; undefined where that is not known. */
function mibPer(
  took: "seconds" | "cpuSeconds",
  rounds: readonly BodyRound[],
  direction: Direction,
): Spread | undefined {
  const usable = rounds.filter(
    (round) => round.direction === direction && round.errors === 0 && round[took] > 0,
  );
  return usable.length === 0 ? undefined : spread(usable.map((round) => round.bytes / 2 ** 20 / round[took]));
}

/** Returns the exit code: 2 when a contender failed to start or broke a transfer. */
export async function benchBodies(options: BenchOptions): Promise<number> {
  const machine = describeMachine();
  const chosen = [...(options.only ?? select(undefined)), ...options.also];
  await using lineup = new Lineup("body-cell.ts");
  const { entrants, missing, failed } = await lineup.startAll(chosen, options);
  const results = new Map<Entrant, BodyRound[]>(entrants.map((entrant) => [entrant, []]));
  for (const [round, order] of rotatedRounds(entrants, options.rounds).entries()) {
    for (const entrant of order) {
      for (const direction of directions) {
        showProgress(
          `bodies ${direction}, round ${round + 1} of ${options.rounds}: ${entrant.contender.name}`,
        );
        results.get(entrant)?.push(await measure(entrant, direction, options));
      }
    }
  }
  showProgress("");
  const rows = entrants.map((entrant) => {
    const rounds = results.get(entrant) ?? [];
    const { pid } = entrant.running;
    const figures = Object.fromEntries(
      directions.map((direction) => [
        direction,
        {
          mibPerCpuSecond: mibPer("cpuSeconds", rounds, direction),
          mibPerSecond: mibPer("seconds", rounds, direction),
        },
      ]),
    ) as Record<Direction, { mibPerCpuSecond: Spread | undefined; mibPerSecond: Spread | undefined }>;
    const errors = rounds.reduce((sum, round) => sum + round.errors, 0);
    const peakRssMiB = pid === undefined ? undefined : readTree(pid).peakRssKiB / 1024;
    return { name: entrant.contender.name, version: entrant.version, ...figures, peakRssMiB, errors, rounds };
  });
  const table = formatTable(
    ["contender", "down MiB/CPU s", "down MiB/s", "up MiB/CPU s", "up MiB/s", "peak RSS MiB", "errors"],
    rows.map(({ name, down, up, peakRssMiB, errors }) => [
      name,
      withRange(down.mibPerCpuSecond),
      formatNumber(down.mibPerSecond?.median),
      withRange(up.mibPerCpuSecond),
      formatNumber(up.mibPerSecond?.median),
      formatNumber(peakRssMiB),
      String(errors),
    ]),
  );
  const { rounds, seconds } = options;
  const method = { rounds, seconds, streams, bodyMiB };
  const head = `Bodies of ${bodyMiB} MiB over ${streams} connections, ${rounds} interleaved rounds of ${seconds} s each way; median (smallest–largest)`;
  const report = {
    kind: "bodies",
    takenAt: new Date().toISOString(),
    machine,
    method,
    rows,
    missing,
    failed,
  };
  deliver(options, report, [head, "", table, "", ...absentLines(missing, failed)].join("\n").trimEnd());
  return failed.length > 0 || rows.some(({ errors }) => errors > 0) ? 2 : 0;
}
