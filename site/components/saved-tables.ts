// What the tables and plots of saved results have in common: how a figure is written, and what is said of a run.

/** A table of a saved run. */
export interface SavedTable {
  readonly title: string;
  readonly command: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Where and how it was taken. */
  readonly taken: string;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON that this project's own commands wrote, each in a shape of its own
export type Saved = any;

/** Three digits, or all of a whole number: `0.780`, `45.0`, `22,949`. */
export const figure = (value: number): string =>
  value >= 99.95 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);

/** When and where a run was taken; `how` says how often. */
export function takenWords({ takenAt, machine }: Saved, how: string): string {
  const cores = `${machine.cores} cores${machine.virtual ? " (virtual)" : ""}`;
  return (
    `Taken ${takenAt.slice(0, 10)} on ${machine.cpu}, ${cores}, Node ${machine.node}: ${how}. ` +
    `The machine's load before: ${machine.loadBefore}.`
  );
}
