// What a run of `npm run bench -- rungs` keeps, and how it is told: in the terminal, in m5's README and on the site.
import type { Report } from "./report.ts";
import { noise, rungs } from "./rungs.ts";
import type { MedianInterval, Spread } from "./statistics.ts";
import { formatNumber } from "./table.ts";

/** A rung's name, or that of the noise, and the share of CPU time a request that m5 saves by having it. */
export type Saving = { readonly name: string; readonly savedPercent: MedianInterval };

export type RungsReport = Omit<Report, "rows"> & {
  readonly contenders: readonly {
    readonly name: string;
    readonly version: string;
    readonly cpuUsPerRequest: Spread | undefined;
    /** Those that are not void, to a hundredth of a microsecond. */
    readonly rounds: readonly { readonly round: number; readonly cpuUsPerRequest: number }[];
  }[];
  readonly rungs: readonly Saving[];
};

/** A step as it is shown. */
export type Step = {
  readonly step: string;
  readonly part: string;
  readonly costs: string;
  readonly savedPercent: MedianInterval;
  readonly isNoise: boolean;
};

/** Every step that was measured, the one that saves most first; noise comes last. */
export function stepsOf({ rungs: savings }: Pick<RungsReport, "rungs">): Step[] {
  const stepsNamed = (name: string, words: Pick<Step, "step" | "part" | "costs">): Step[] =>
    savings
      .filter((saving) => saving.name === name)
      .map(({ savedPercent }) => ({ ...words, savedPercent, isNoise: name === noise }));
  const steps = rungs.flatMap(({ name, step, part, costs }) => stepsNamed(name, { step, part, costs }));
  steps.sort((a, b) => b.savedPercent.median - a.savedPercent.median);
  const words = { step: "nothing taken out: a second m5", part: "–", costs: "This row is noise." };
  return [...steps, ...stepsNamed(noise, words)];
}

export type Ladder = {
  /** Those whose median lies above the interval of the noise, and the noise. */
  readonly steps: readonly Step[];
  /** A sentence that names the others; empty where there are none. */
  readonly others: string;
};

/** The steps that the run tells apart from noise. m5's README and the site show these. */
export function ladderOf(report: Pick<RungsReport, "rungs">): Ladder {
  const all = stepsOf(report);
  const upTo = all.find(({ isNoise }) => isNoise)?.savedPercent.high ?? Number.NEGATIVE_INFINITY;
  const standsOut = ({ isNoise, savedPercent }: Step) => isNoise || savedPercent.median > upTo;
  const steps = all.filter((step) => standsOut(step));
  const others = all.filter((step) => !standsOut(step));
  if (others.length === 0) return { steps, others: "" };
  const count = others.length === 1 ? "1 more step lies" : `${others.length} more steps lie`;
  const names = others.map(({ step }) => step).join("; ");
  return { steps, others: `${count} within the noise (median ${inPercent(upTo)} % or less): ${names}.` };
}

/** `m4 52 µs, m5 20 µs, nginx 17 µs`: everyone who is not a copy of m5. */
export function storyOf({ contenders }: Pick<RungsReport, "contenders">): string {
  const copies = new Set([noise, ...rungs.map(({ name }) => name)]);
  return contenders
    .filter(({ name, cpuUsPerRequest }) => !copies.has(name) && cpuUsPerRequest !== undefined)
    .map(({ name, cpuUsPerRequest }) => `${name} ${formatNumber(cpuUsPerRequest?.median)} µs`)
    .join(", ");
}

/** How sure the intervals are: `95.9 %`, of the one that is least so. */
export function coverageOf({ rungs: savings }: Pick<RungsReport, "rungs">): string {
  return `${(100 * Math.min(...savings.map(({ savedPercent }) => savedPercent.coverage))).toFixed(1)} %`;
}

/** `24.3 % (21.0 to 27.2)` */
export function withInterval(saved: MedianInterval): string {
  return `${inPercent(saved.median)} % (${inPercent(saved.low)} to ${inPercent(saved.high)})`;
}

/** With a minus where there is one, and none before zero. */
export function inPercent(percent: number): string {
  return percent
    .toFixed(1)
    .replace(/^-0\.0$/, "0.0")
    .replace("-", "−");
}
