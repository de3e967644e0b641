// Turns a comparison into the JSON that is kept and the table that is read.
import {
  type Comparison,
  defaultWarmUpSeconds,
  type Measured,
  type Measurement,
  type Round,
} from "./compare.ts";
import { type Absent, absentLines } from "./lineup.ts";
import type { Machine } from "./machine.ts";
import { pairedRatio, type Spread, spread } from "./statistics.ts";
import { formatNumber, formatTable } from "./table.ts";

/** The yardsticks: the best Node peer and nginx, with and without their access logs. */
export const yardsticks: readonly string[] = ["reply-from", "reply-from-nolog", "nginx", "nginx-nolog"];

/** A load average above this means that others were at work when the bench began. */
const busyLoad = 0.5;

export type Row = {
  readonly name: string;
  readonly kind: string;
  readonly about: string;
  readonly version: string;
  readonly cpuUsPerRequest: Spread | undefined;
  /** Name of another contender → this row's CPU time per request over the other's, paired by round. */
  readonly cpuRatios: Readonly<Record<string, Spread>>;
  readonly requestsPerSecond: Spread | undefined;
  readonly p50Ms: Spread | undefined;
  readonly p99Ms: Spread | undefined;
  readonly peakRssMiB: number | undefined;
  readonly voidRounds: number;
  readonly rounds: readonly Round[];
};

/** How the figures were taken. */
export type Method = Omit<Measurement, "cpuOnly" | "signal"> & {
  /** The closed loop's generator and its version. */
  readonly load: string;
  readonly requestFields: number;
  readonly bodyBytes: number;
};

export type Report = {
  readonly kind: string;
  readonly takenAt: string;
  readonly machine: Machine;
  readonly method: Method;
  readonly rows: readonly Row[];
  readonly missing: readonly Absent[];
  readonly failed: readonly Absent[];
};

function valid(measured: Pick<Measured, "rounds">, phase: Round["phase"]): readonly Round[] {
  return measured.rounds.filter((round) => round.phase === phase && round.valid);
}

/** CPU time a request in each round of the closed loop that is not void. */
export function cpuByRound(measured: Pick<Measured, "rounds">): ReadonlyMap<number, number> {
  const pairs: [number, number][] = [];
  for (const { round, cpuUsPerRequest } of valid(measured, "closed")) {
    if (cpuUsPerRequest !== undefined) pairs.push([round, cpuUsPerRequest]);
  }
  return new Map(pairs);
}

function spreadOf(rounds: readonly Round[], figure: (round: Round) => number): Spread | undefined {
  return rounds.length === 0 ? undefined : spread(rounds.map(figure));
}

export function summarise(comparison: Comparison): Row[] {
  return comparison.measured.map((measured) => {
    const { contender, version } = measured.entrant;
    const cpu = cpuByRound(measured);
    const cpuRatios: Record<string, Spread> = {};
    for (const reference of comparison.measured) {
      const { name } = reference.entrant.contender;
      const ratio = pairedRatio(cpu, cpuByRound(reference));
      if (ratio !== undefined) cpuRatios[name] = ratio;
    }
    const [closed, open] = [valid(measured, "closed"), valid(measured, "open")];
    return {
      name: contender.name,
      kind: contender.kind,
      about: contender.about,
      version,
      cpuUsPerRequest: cpu.size === 0 ? undefined : spread([...cpu.values()]),
      cpuRatios,
      requestsPerSecond: spreadOf(closed, (round) => round.requests / round.seconds),
      p50Ms: spreadOf(open, (round) => round.p50Ms),
      p99Ms: spreadOf(open, (round) => round.p99Ms),
      peakRssMiB: measured.peakRssMiB,
      voidRounds: measured.rounds.filter((round) => !round.valid).length,
      rounds: measured.rounds,
    };
  });
}

/** The median, and the smallest and the largest in brackets. */
export function withRange(value: Spread | undefined): string {
  if (value === undefined) return "-";
  return `${formatNumber(value.median)} (${formatNumber(value.min)}–${formatNumber(value.max)})`;
}

/** The table and what one must know to read it. */
export function formatReport(report: Report, against: readonly string[] = yardsticks): string {
  const used = against.filter((name) => report.rows.some((row) => row.name === name));
  const head = [
    "contender",
    "CPU µs/request",
    ...used.map((name) => `÷ ${name}`),
    "requests/s",
    "p50 ms",
    "p99 ms",
    "RSS MiB",
  ];
  const rows = report.rows.map((row) => [
    row.name,
    withRange(row.cpuUsPerRequest),
    ...used.map((name) => withRange(row.cpuRatios[name])),
    formatNumber(row.requestsPerSecond?.median),
    withRange(row.p50Ms),
    withRange(row.p99Ms),
    formatNumber(row.peakRssMiB),
  ]);
  return [
    ...methodLines(report),
    "Median (smallest–largest round). CPU time is the proxy's process tree's; ratios are of CPU time, paired by round.",
    "",
    formatTable(head, rows),
    "",
    ...report.rows.map((row) => `${row.name} ${row.version}: ${row.about}`),
    ...warnings(report),
  ].join("\n");
}

/** The machine, and how the figures were taken. */
export function methodLines({ machine, method }: Report): string[] {
  const latencies = method.rate === undefined ? "" : `; latencies at ${method.rate} requests/s (open loop)`;
  return [
    `${machine.cpu}, ${machine.cores} cores${machine.virtual ? " (virtual)" : ""}, ${machine.kernel}, Node ${machine.node}, load before ${machine.loadBefore}`,
    `${method.load}; ${method.rounds} interleaved rounds of ${method.seconds} s, ${method.connections} connections${latencies}`,
  ];
}

/** What one must know before believing the figures, and who is missing. */
export function warnings({ machine, method, missing, failed, rows }: Report): string[] {
  const lines: string[] = [];
  if (machine.loadBefore > busyLoad) {
    lines.push(
      `NOTE the machine was busy (load ${machine.loadBefore}): trust the smallest rounds and repeat when it is quiet`,
    );
  }
  if (method.warmUpSeconds < defaultWarmUpSeconds)
    lines.push(
      `NOTE a warm-up of ${method.warmUpSeconds} s: the figures hold start-up costs, compare none of them`,
    );
  lines.push(...absentLines(missing, failed));
  for (const row of rows) {
    if (row.voidRounds > 0)
      lines.push(`VOID ${row.name}: ${row.voidRounds} rounds had errors and were left out`);
  }
  return lines;
}
