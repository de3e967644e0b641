// What the tables of saved results have in common: how a figure is written, and the kinds that two pages show.

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

/** A kind of saved run, as a table. */
export interface TableKind {
  readonly title: string;
  readonly columns: readonly string[];
  readonly row: (row: Saved) => readonly string[];
}

export const figure = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));

export const bodies: TableKind = {
  title: "Large bodies: MiB for each second of the proxy's CPU time",
  columns: ["Contender", "Down", "Up", "Peak memory, MiB"],
  row: ({ name, down, up, peakRssMiB }) => [
    name,
    figure(down.mibPerCpuSecond.median),
    figure(up.mibPerCpuSecond.median),
    figure(peakRssMiB),
  ],
};

export const connections: TableKind = {
  title: "A thousand connections: peak memory in MiB",
  columns: ["Contender", "Fresh", "All idle", "All busy"],
  row: ({ name, freshMiB, idlePeakMiB, busyPeakMiB }) => [
    name,
    figure(freshMiB),
    figure(idlePeakMiB),
    figure(busyPeakMiB),
  ],
};

/** When and where a run was taken; `how` says how often. */
export function takenWords({ takenAt, machine }: Saved, how: string): string {
  const cores = `${machine.cores} cores${machine.virtual ? " (virtual)" : ""}`;
  return (
    `Taken ${takenAt.slice(0, 10)} on ${machine.cpu}, ${cores}, Node ${machine.node}: ${how}. ` +
    `The machine's load before: ${machine.loadBefore}.`
  );
}
