// The report of a gameday: what was asked and how it ended, by outcome and by disturbance, and every broken invariant.

import { checkedInvariants, type Outcome, outcomeWords } from "../load/judge.ts";
import type { GamedayRecord, Window } from "./record.ts";

export interface ReportFacts {
  readonly stage: string;
  /** The router in another language. */
  readonly port?: string;
  readonly seed: number;
  readonly minutes: number;
  /** How much higher a router's resident memory rose in the second half than in the first, in MiB; null: unknown. */
  readonly memoryGrowthMiB: number | null;
}

export interface GamedayReport extends ReportFacts {
  readonly requests: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly disturbances: readonly {
    readonly kind: string;
    readonly cells?: readonly string[];
    readonly fromSeconds: number;
    readonly toSeconds: number;
    readonly outcomes: Readonly<Record<string, number>>;
  }[];
  readonly servedWithoutControlPlane: number;
  /** By their numbers, what every response, or the whole run, was held to. */
  readonly invariantsChecked: Readonly<Record<string, string>>;
  readonly violations: number;
  readonly firstViolations: readonly string[];
  readonly replay: string;
}

/** Checked besides what the judge checks of each response. */
const alsoChecked: Readonly<Record<string, string>> = {
  "3": "a routing table that cannot be used is refused, and the last good one stays in use",
  "6": "memory stays flat: no body is buffered, nothing is held on to",
  "8": "no router ends by itself",
};

/** Named, because a report without violations could otherwise be read as covering all. */
const notChecked = "4 (local resilience state) is not checked here: routers may disagree";

const order = Object.keys(outcomeWords) as Outcome[];

export function reportOf(
  record: GamedayRecord,
  { startedAtMs, ...facts }: ReportFacts & { readonly startedAtMs: number },
): GamedayReport {
  const seconds = (atMs: number) => Math.round((atMs - startedAtMs) / 100) / 10;
  return {
    ...facts,
    requests: record.requests,
    outcomes: counted(record.outcomes),
    disturbances: record.windows.map((window: Window) => ({
      kind: window.planned.kind,
      ...("cells" in window.planned ? { cells: window.planned.cells } : {}),
      fromSeconds: seconds(window.fromMs),
      toSeconds: seconds(window.toMs),
      outcomes: counted(window.outcomes),
    })),
    servedWithoutControlPlane: record.withoutControlPlane,
    invariantsChecked: { ...checkedInvariants, ...alsoChecked },
    violations: record.violationCount,
    firstViolations: record.violations,
    replay: `npm run gameday -- --stage ${facts.stage}${facts.port === undefined ? "" : ` --port ${facts.port}`} --minutes ${facts.minutes} --seed ${facts.seed}`,
  };
}

export function textOf(report: GamedayReport): string {
  const lines = [
    `Gameday ${report.stage}, seed ${report.seed}: ${report.requests} requests (${words(report.outcomes)})`,
  ];
  for (const { kind, cells = [], fromSeconds, toSeconds, outcomes } of report.disturbances) {
    const span = `${fromSeconds.toFixed(1)}–${toSeconds.toFixed(1)} s`.padStart(15);
    lines.push(`${span}  ${`${kind} ${cells.join(" ")}`.trim().padEnd(30)}  ${words(outcomes)}`);
  }
  lines.push(`Served while the control plane was down: ${report.servedWithoutControlPlane}`);
  if (report.memoryGrowthMiB !== null)
    lines.push(
      `Resident memory: at most ${report.memoryGrowthMiB} MiB more in the second half than in the first`,
    );
  lines.push("Words:");
  for (const outcome of order)
    if (outcome in report.outcomes) lines.push(`  ${outcome.padEnd(12)} ${outcomeWords[outcome]}`);
  lines.push("Invariants checked, of every response or all the time:");
  for (const [number, words] of Object.entries(report.invariantsChecked))
    lines.push(`  ${number.padEnd(6)} ${words}`);
  lines.push(`  ${notChecked}`);
  lines.push(`Violations: ${report.violations}`);
  for (const violation of report.firstViolations) lines.push(`  invariant ${violation}`);
  lines.push(`Again: ${report.replay}`);
  return lines.join("\n");
}

function counted(outcomes: ReadonlyMap<Outcome, number>): Record<string, number> {
  return Object.fromEntries(
    order.flatMap((outcome) => (outcomes.has(outcome) ? [[outcome, outcomes.get(outcome) ?? 0]] : [])),
  );
}

function words(outcomes: Readonly<Record<string, number>>): string {
  const parts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  return parts.length === 0 ? "no request" : parts.join(", ");
}
