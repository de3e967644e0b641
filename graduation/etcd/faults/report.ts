// What the rounds of all faults came to: a row for each fault, and the words of the rounds that broke a promise.

import { spread } from "../../../bench/statistics.ts";
import { formatTable } from "../../../bench/table.ts";
import type { Counts } from "./round.ts";

export interface RoundResult {
  readonly fault: string;
  readonly round: number;
  readonly seed: number;
  /** Undefined when every promise held. */
  readonly broken: string | undefined;
  readonly writesMs: number | undefined;
  readonly routersMs: number | undefined;
  readonly tookMs: number;
  readonly counts: Counts;
}

export interface FaultRow extends Counts {
  readonly fault: string;
  readonly since: string;
  readonly rounds: number;
  readonly held: number;
  readonly writesMs: Recovery;
  readonly routersMs: Recovery;
}

/** In milliseconds; null when no round got so far. */
interface Recovery {
  readonly median: number | null;
  readonly max: number | null;
}

export interface FaultsReport {
  readonly takenAt: string;
  readonly etcd: string | undefined;
  readonly rows: readonly FaultRow[];
  readonly broken: readonly Pick<RoundResult, "fault" | "round" | "seed" | "broken">[];
}

export function rowOf(fault: string, since: string, results: readonly RoundResult[]): FaultRow {
  const own = results.filter((result) => result.fault === fault);
  const sum = (name: keyof Counts): number => own.reduce((total, { counts }) => total + counts[name], 0);
  return {
    fault,
    since,
    rounds: own.length,
    held: own.filter(({ broken }) => broken === undefined).length,
    operations: sum("operations"),
    stored: sum("stored"),
    conflict: sum("conflict"),
    refused: sum("refused"),
    unknown: sum("unknown"),
    requests: sum("requests"),
    writesMs: recoveryOf(own.map(({ writesMs }) => writesMs)),
    routersMs: recoveryOf(own.map(({ routersMs }) => routersMs)),
  };
}

function recoveryOf(values: readonly (number | undefined)[]): Recovery {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) return { median: null, max: null };
  const { median, max } = spread(known);
  return { median: Math.round(median), max: Math.round(max) };
}

export function textOf({ rows, broken }: FaultsReport): string {
  const titles = ["fault", "rounds", "held", "writes again ms", "routers newest ms", "since"];
  const counted = ["operations", "stored", "412", "refused", "unknown", "requests"];
  const cells = rows.map((row) => [
    ...[row.fault, String(row.rounds), row.held === row.rounds ? "all" : String(row.held)],
    ...[inWords(row.writesMs), inWords(row.routersMs), row.since],
  ]);
  const counts = rows.map(({ fault, operations, stored, conflict, refused, unknown, requests }) => [
    fault,
    ...[operations, stored, conflict, refused, unknown, requests].map(String),
  ]);
  const words = broken.map(
    ({ fault, round, seed, broken: why }) => `BROKEN: ${fault}, round ${round}, seed ${seed}: ${why}`,
  );
  return [
    formatTable(titles, cells),
    "Recoveries: median (max) of the rounds.",
    "",
    formatTable(["fault", ...counted], counts),
    ...words,
  ].join("\n");
}

function inWords({ median, max }: Recovery): string {
  return median === null ? "-" : `${median} (${max})`;
}
