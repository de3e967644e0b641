// Plots of saved figures: what a picture shows, and where its marks stand. All of it is computed while the site is built;
// the page gets positions in percent, so that a picture keeps the size of its words on every screen.

import { figure } from "./saved-tables.ts";

export interface Value {
  readonly median: number;
  readonly min?: number;
  readonly max?: number;
}

export interface PlotSource {
  readonly title: string;
  /** One sentence below the title: the unit, and which way is better. */
  readonly note: string;
  readonly scale: "log" | "linear";
  /** Bars from zero in place of dots. They need a linear scale. */
  readonly isBar?: boolean;
  /** Names of the marks in a row, where there are several. */
  readonly series?: readonly string[];
  readonly rows: readonly SourceRow[];
  readonly reference?: { readonly value: number; readonly label: string };
  /** The table's columns, and what stands in them where that is more than the values. */
  readonly columns: readonly string[];
  /** What a reader has to know before believing it. */
  readonly caveat?: string | undefined;
  readonly taken: string;
  readonly command: string;
}

export interface SourceRow {
  readonly label: string;
  readonly isOurs: boolean;
  /** A value for each of the series; several for one series are runs of the same thing. */
  readonly values: readonly (Value & { readonly series?: number })[];
  /** Stands at the end of the row, where that is not the values. */
  readonly value?: string;
  readonly cells: readonly string[];
}

export interface Mark {
  readonly series: number;
  /** In percent of the plot's width, as all positions are. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly words: string;
}

export interface Plot {
  readonly title: string;
  readonly note: string;
  readonly isBar: boolean;
  readonly series: readonly string[];
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
  readonly rows: readonly {
    readonly label: string;
    readonly isOurs: boolean;
    readonly value: string;
    readonly marks: readonly Mark[];
  }[];
  readonly reference: { readonly at: number; readonly label: string } | null;
  /** For whoever does not see it. */
  readonly summary: string;
  readonly columns: readonly string[];
  readonly table: readonly (readonly string[])[];
  readonly caveat: string | null;
  readonly taken: string;
  readonly command: string;
}

/** Space left and right for the half of a dot that reaches beyond its place, in percent. */
const edge = 2;

/** `27.2 (23.8–32.5)` */
export const withRange = ({ median, min = median, max = median }: Value): string =>
  min === max ? figure(median) : `${figure(median)} (${figure(min)}–${figure(max)})`;

export function plotOf(source: PlotSource): Plot {
  const { scale, isBar = false, series = [], rows, reference } = source;
  const values = rows.flatMap((row) => row.values);
  const all = values.flatMap(({ median, min = median, max = median }) => [min, max]);
  if (reference !== undefined) all.push(reference.value);
  const ticks = scale === "log" ? logTicks(all) : linearTicks(all, Math.min(0, ...all));
  const place = placer(scale, ticks, isBar ? 0 : edge);
  return {
    title: source.title,
    note: source.note,
    isBar,
    series,
    ticks: ticks.map((tick, at) => ({
      at: place(tick),
      label: hasLabel(tick, at, ticks) ? tick.toLocaleString("en-US") : "",
    })),
    rows: rows.map(({ label, isOurs, values: mine, value: words }) => ({
      label,
      isOurs,
      value: words ?? mine.map(({ median }) => figure(median)).join(" · "),
      marks: mine.map((value) => ({
        series: value.series ?? 0,
        at: place(value.median),
        from: place(value.min ?? value.median),
        to: place(value.max ?? value.median),
        words: withRange(value),
      })),
    })),
    reference: reference === undefined ? null : { at: place(reference.value), label: reference.label },
    summary: rows.map(({ label, values: mine }) => `${label}: ${messageOf(mine, series)}`).join("; "),
    columns: source.columns,
    table: rows.map(({ label, cells }) => [label, ...cells]),
    caveat: source.caveat ?? null,
    taken: source.taken,
    command: source.command,
  };
}

function messageOf(values: SourceRow["values"], series: readonly string[]): string {
  return values
    .map((value) => {
      const name = series[value.series ?? 0];
      return `${name === undefined ? "" : `${name} `}${withRange(value)}`;
    })
    .join(", ");
}

/** Many ticks have no room for their labels: then the first has one, and the powers of ten. */
function hasLabel(tick: number, at: number, ticks: readonly number[]): boolean {
  return ticks.length < 8 || at === 0 || Number.isInteger(Math.log10(tick));
}

/** @returns a value's place in percent, to a hundredth */
function placer(scale: PlotSource["scale"], ticks: readonly number[], left: number) {
  const of = scale === "log" ? Math.log : (value: number) => value;
  const [low, high] = [of(ticks[0] ?? 1), of(ticks.at(-1) ?? 10)];
  return (value: number): number =>
    Math.round(100 * (left + ((100 - left - edge) * (of(value) - low)) / (high - low))) / 100;
}

/** 1, 2, 5 in each decade; only its beginning where there are many; steps of a tenth within a small part of one. */
export function logTicks(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (!(least > 0)) throw new RangeError(`a logarithmic scale needs values above 0, got ${least}`);
  if (most / least < 3) return linearTicks(values, least);
  const steps = Math.log10(most / least) > 2.4 ? [1] : [1, 2, 5];
  const ladder = Array.from({ length: 16 }, (_, index) => index - 6).flatMap((power) =>
    steps.map((step) => Number((step * 10 ** power).toPrecision(6))),
  );
  const from = ladder.findLastIndex((tick) => tick <= least);
  const until = ladder.findIndex((tick) => tick >= most);
  return ladder.slice(from, until + 1);
}

/** Four to eight round steps, from zero or from just below `least`, which may be below zero. */
export function linearTicks(values: readonly number[], least = 0): number[] {
  const span = Math.max(...values) - least || 1;
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  const first = Math.floor(least / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.max(...values) / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(6)),
  );
}
