// The report of a run: what was done to the router, how clean clients fared beside it, and every fault with the bytes of the
// connection that shows it.

import { outcomeWords } from "../load/judge.ts";
import type { Culprit } from "./culprit.ts";
import type { FaultGroup } from "./faults.ts";
import type { Resources } from "./resources.ts";
import type { RunResult, Told } from "./run-result.ts";

export interface ChaosReport {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
  readonly connections: number;
  readonly connectionsByKind: Readonly<Record<string, number>>;
  readonly requestsAtCells: number;
  readonly behavioursOfCells: Readonly<Record<string, number>>;
  readonly cleanRequests: Readonly<Record<string, number>>;
  /** Before, at the highest, and after; absent where they cannot be read. */
  readonly resources: Readonly<Record<"before" | "peak" | "after", Resources | undefined>>;
  readonly stopMs: number | undefined;
  /** Rules that were not checked, and why. */
  readonly notChecked: readonly string[];
  readonly ended:
    | { readonly how: string; readonly afterSeconds: number; readonly lastLines: readonly string[] }
    | undefined;
  readonly faults: readonly FaultGroup[];
  readonly faultCount: number;
  /** The connections that have to do with a fault. */
  readonly connectionsOfFaults: readonly Told[];
  readonly replay: readonly string[];
}

const lineWidth = 110;

/** What a run without a fault has shown. */
const heldTo = [
  "the process lives and responds",
  "a cell gets only what a client sent as a request: whole or visibly cut, in order, at its own placement",
  "a client gets only responses to its own requests, in order",
  "a clean client gets its whole response; it fails visibly, and only where its own cell is hostile",
  "afterwards every tenant is served, descriptors and memory come back, and SIGTERM ends the router in time",
];

export function reportOf(
  result: RunResult,
  facts: Pick<ChaosReport, "target" | "seed" | "replay" | "connectionsOfFaults">,
): ChaosReport {
  const { death, before, peak, after } = result;
  const notChecked: string[] = [];
  if (before === undefined)
    notChecked.push("descriptors and memory: the router's process, or /proc, is not known here");
  if (result.stopMs === undefined && death === undefined)
    notChecked.push("the stop at SIGTERM: it was not asked for");
  return {
    ...facts,
    seconds: Math.round(result.seconds * 10) / 10,
    connections: result.connections,
    connectionsByKind: Object.fromEntries(result.byKind),
    requestsAtCells: result.requestsAtCells,
    behavioursOfCells: Object.fromEntries(result.behaviours),
    cleanRequests: Object.fromEntries(result.clean.outcomes),
    resources: { before, peak, after },
    stopMs: result.stopMs,
    notChecked,
    ended:
      death === undefined
        ? undefined
        : { how: death.how, afterSeconds: Math.round(death.afterMs / 100) / 10, lastLines: death.lastLines },
    faults: result.faults,
    faultCount: result.faults.reduce((sum, { count }) => sum + count, 0) + (death === undefined ? 0 : 1),
  };
}

export function textOf(report: ChaosReport): string {
  const { target, seed, seconds, connections, requestsAtCells, cleanRequests, ended, faults } = report;
  const lines = [
    `Chaos ${target}, seed ${seed}: ${connections} hostile connections in ${seconds} s, ${requestsAtCells} requests at cells`,
    `  clients  ${counts(report.connectionsByKind)}`,
    `  cells    ${counts(report.behavioursOfCells)}`,
    `  clean    ${counts(cleanRequests)}`,
  ];
  for (const outcome of Object.keys(cleanRequests))
    lines.push(`           ${outcome}: ${outcomeWords[outcome as keyof typeof outcomeWords]}`);
  lines.push(...resourceLines(report));
  for (const words of report.notChecked) lines.push(`  not checked: ${words}`);
  if (ended !== undefined) {
    lines.push(
      `FAULT: the router ${ended.how} after ${ended.afterSeconds} s. The last lines that it printed:`,
    );
    lines.push(...ended.lastLines.slice(-20).map((line) => `  | ${line}`));
  }
  for (const { rule, count, cases } of faults) {
    lines.push(`FAULT: ${rule} (${count} ${count === 1 ? "time" : "times"})`);
    for (const { detail, connection } of cases)
      lines.push(`  ${connection === undefined ? "" : `connection ${connection}: `}${detail}`);
  }
  for (const told of report.connectionsOfFaults) lines.push(...transcriptLines(told));
  if (report.faultCount === 0) lines.push("No fault. Held to:", ...heldTo.map((words) => `  ${words}`));
  for (const command of report.replay) lines.push(`Again: ${command}`);
  return lines.join("\n");
}

/** What a culprit's sequence is called on the command line: `7:12` once, `7:12x6` six times, or several of them. */
export function sequenceWords(seed: number, { sequence }: Pick<Culprit, "sequence">): string {
  const numbers = [...new Set(sequence.map(({ number }) => number))];
  const [only] = numbers;
  if (numbers.length === 1 && only !== undefined)
    return sequence.length === 1 ? `${seed}:${only}` : `${seed}:${only}x${sequence.length}`;
  return `${seed}:${numbers.join(",")}`;
}

function resourceLines({ resources: { before, peak, after }, stopMs }: ChaosReport): string[] {
  const lines: string[] = [];
  if (before !== undefined && after !== undefined) {
    const of = (words: string, look: (each: Resources) => number) =>
      `${words} ${look(before)} before, ${peak === undefined ? "?" : look(peak)} at the highest, ${look(after)} after`;
    const inMiB = ({ residentBytes }: Resources) => Math.round(residentBytes / 1_048_576);
    lines.push(`  router   ${of("descriptors", (each) => each.descriptors)}; ${of("MiB", inMiB)}`);
  }
  if (stopMs !== undefined) lines.push(`  SIGTERM  ended it after ${(stopMs / 1000).toFixed(1)} s`);
  return lines;
}

function transcriptLines({
  number,
  kind,
  ending,
  sent,
  sentBytes,
  received,
  receivedBytes,
  deeds,
}: Told): string[] {
  return [
    `Connection ${number} (${kind}): sent ${sentBytes} bytes, received ${receivedBytes}, ${ending}`,
    ...quoted(">", sent, sentBytes),
    ...quoted("<", received, receivedBytes),
    ...deeds.slice(0, 8).map((deed) => `  cell: ${deed}`),
  ];
}

/** Bytes as they stand in a string literal, a line of HTTP on a line. */
function quoted(mark: string, text: string, bytes: number): string[] {
  const lines = text.slice(0, 1_500).match(/[^\n]*\n|[^\n]+/g) ?? [];
  const shown = lines.slice(0, 24).map((line) => {
    const literal = JSON.stringify(line)
      .slice(1, -1)
      .replaceAll(/[\x7f-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
    return `  ${mark} ${literal.length > lineWidth ? `${literal.slice(0, lineWidth)}…` : literal}`;
  });
  const length = lines.slice(0, 24).join("").length;
  return length < bytes ? [...shown, `  ${mark} … ${bytes - length} more bytes`] : shown;
}

function counts(of: Readonly<Record<string, number>>): string {
  const parts = Object.entries(of)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}
