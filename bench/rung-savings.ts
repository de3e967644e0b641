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
  /** Undefined: the saved run did not measure it. */
  readonly savedPercent: MedianInterval | undefined;
  readonly isNoise: boolean;
};

/** Every rung of the list, the one that saves most first; noise comes last. */
export function stepsOf({ rungs: savings }: Pick<RungsReport, "rungs">): Step[] {
  const savingOf = (name: string) => savings.find((saving) => saving.name === name)?.savedPercent;
  const steps = rungs.map(({ name, step, part, costs }) => {
    return { step, part, costs, savedPercent: savingOf(name), isNoise: false };
  });
  const least = Number.NEGATIVE_INFINITY;
  steps.sort((a, b) => (b.savedPercent?.median ?? least) - (a.savedPercent?.median ?? least));
  const words = { step: "nothing taken out: a second m5", part: "–", costs: "This row is noise." };
  return [...steps, { ...words, savedPercent: savingOf(noise), isNoise: true }];
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
export function withInterval(saved: MedianInterval | undefined): string {
  if (saved === undefined) return "–";
  return `${inPercent(saved.median)} % (${inPercent(saved.low)} to ${inPercent(saved.high)})`;
}

/** With a minus where there is one, and none before zero. */
export function inPercent(percent: number): string {
  return percent
    .toFixed(1)
    .replace(/^-0\.0$/, "0.0")
    .replace("-", "−");
}
