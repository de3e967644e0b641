// Which plots the bench has: for each the saved file, what is read from its rows, and the words around it.

import { type PlotSource, type SourceRow, type Value, withRange } from "./plot.ts";
import { figure, type Saved } from "./saved-tables.ts";

/** A plot before its data are read. */
export interface Kind extends Pick<PlotSource, "title" | "note" | "scale" | "isBar" | "series" | "columns"> {
  /** Name of the file in data/, without its ending. */
  readonly file: string;
  readonly command: string;
  readonly rows: (saved: Saved) => readonly SourceRow[];
  readonly reference?: (saved: Saved) => PlotSource["reference"];
}

const labels: Readonly<Record<string, string>> = {
  haproxy: "HAProxy",
  pingora: "Pingora",
  "pingora-m4": "Pingora as m4",
  go: "Go",
  "go-m4": "Go as m4",
  "reply-from-nolog": "reply-from, no log",
  "undici-dispatch": "undici alone",
};
const labelOf = (name: string): string => labels[name] ?? name;
const isStage = (name: string): boolean => /^m\d/.test(name);
const only = (value: number): Value => ({ median: value });

/** A row for each contender that has these values, the best first. */
function contenders(
  values: (row: Saved) => readonly (Value | undefined)[],
  cells: (row: Saved) => readonly string[],
  best: "least" | "most" = "least",
): (saved: Saved) => readonly SourceRow[] {
  return ({ rows }) => {
    const sign = best === "least" ? 1 : -1;
    return (rows as Saved[])
      .filter((row) => row.name !== "direct")
      .flatMap((row): SourceRow[] => {
        const measured = values(row).flatMap((value, series) => (value ? [{ ...value, series }] : []));
        const of = { label: labelOf(row.name), isOurs: isStage(row.name), cells: cells(row) };
        return measured.length === 0 ? [] : [{ ...of, values: measured }];
      })
      .sort((a, b) => sign * ((a.values[0]?.median ?? 0) - (b.values[0]?.median ?? 0)));
  };
}

const spread = (value: Value | undefined): string => (value ? withRange(value) : "–");

/** The four figures of a run of `npm run bench`. */
function comparison(
  file: string,
  command: string,
): Readonly<Record<"cpu" | "rate" | "latency" | "memory", Kind>> {
  const common = { file, command };
  return {
    cpu: {
      ...common,
      title: "CPU time per request.",
      note: "Microseconds, median and range of the rounds. Less is better.",
      scale: "linear",
      isBar: true,
      columns: ["Contender", "µs", "÷ nginx"],
      rows: contenders(
        ({ cpuUsPerRequest }) => [cpuUsPerRequest],
        ({ cpuUsPerRequest, cpuRatios }) => [spread(cpuUsPerRequest), spread(cpuRatios?.nginx)],
      ),
    },
    rate: {
      ...common,
      title: "Requests per second.",
      note: "What proxy, cells and load generator do together on two cores. More is better.",
      scale: "linear",
      isBar: true,
      columns: ["Contender", "Requests per second"],
      rows: contenders(
        ({ requestsPerSecond }) => [requestsPerSecond],
        ({ requestsPerSecond }) => [spread(requestsPerSecond)],
        "most",
      ),
    },
    latency: {
      ...common,
      title: "Latency at a fixed rate.",
      note: "Milliseconds on a logarithmic scale, median and range of the rounds. Less is better.",
      scale: "log",
      series: ["p99: 99 % of requests are faster", "p50: half are faster"],
      columns: ["Contender", "p99, ms", "p50, ms"],
      rows: contenders(
        ({ p99Ms, p50Ms }) => [p99Ms, p50Ms && only(p50Ms.median)],
        ({ p99Ms, p50Ms }) => [spread(p99Ms), spread(p50Ms)],
      ),
      reference: ({ rows }) => {
        const floor = rows.find((row: Saved) => row.kind === "none")?.p99Ms?.median;
        return floor && { value: floor, label: `p99 without any proxy, ${figure(floor)} ms` };
      },
    },
    memory: {
      ...common,
      title: "Peak memory.",
      note: "MiB of the proxy's whole process tree, on a logarithmic scale. Less is better.",
      scale: "log",
      columns: ["Contender", "MiB"],
      rows: contenders(
        ({ peakRssMiB }) => [peakRssMiB && only(peakRssMiB)],
        ({ peakRssMiB }) => [peakRssMiB === undefined ? "–" : figure(peakRssMiB)],
      ),
    },
  };
}

const bodies: Kind = {
  file: "bench-bodies",
  command: "npm run bench -- bodies --save",
  title: "Large bodies.",
  note: "MiB per second of the proxy's CPU time, for bodies of 16 MiB. More is better.",
  scale: "linear",
  series: ["down, from the cell", "up, to the cell"],
  columns: ["Contender", "Down", "Up", "Peak memory, MiB"],
  rows: contenders(
    ({ down, up }) => [down.mibPerCpuSecond, up.mibPerCpuSecond],
    ({ down, up, peakRssMiB }) => [
      spread(down.mibPerCpuSecond),
      spread(up.mibPerCpuSecond),
      figure(peakRssMiB),
    ],
    "most",
  ),
};

const connections: Kind = {
  file: "bench-connections",
  command: "npm run bench -- connections --save",
  title: "Memory with a thousand connections.",
  note: "Peak in MiB, on a logarithmic scale. Less is better.",
  scale: "log",
  series: ["just started", "all idle", "all busy"],
  columns: ["Contender", "Just started", "All idle", "All busy"],
  rows: contenders(
    ({ freshMiB, idlePeakMiB, busyPeakMiB }) => [only(freshMiB), only(idlePeakMiB), only(busyPeakMiB)],
    ({ freshMiB, idlePeakMiB, busyPeakMiB }) => [freshMiB, idlePeakMiB, busyPeakMiB].map(figure),
  ),
};

/** m4 and m5 beside the proxies that everybody knows: for the first page. */
const known: readonly string[] = ["m4", "m5", "haproxy", "nginx", "reply-from", "pingora", "go"];
const beside: Kind = {
  file: "bench",
  command: "npm run bench -- --save",
  title: "CPU time per request, as a multiple of nginx's.",
  note: "Median and range of ratios that were taken within each round. Less is better.",
  scale: "linear",
  isBar: true,
  columns: ["Contender", "÷ nginx"],
  rows: contenders(
    ({ name, cpuRatios }) => (known.includes(name) ? [cpuRatios?.nginx] : []),
    ({ cpuRatios }) => [spread(cpuRatios?.nginx)],
  ),
};

const workers: Kind = {
  file: "bench-workers",
  command: "npm run bench -- workers --save",
  title: "One worker and two: CPU time per request.",
  note: "Microseconds, median and range. Less is better.",
  scale: "linear",
  series: ["one worker", "two workers"],
  columns: ["Contender", "One, µs", "Its memory, MiB", "Two, µs", "Their memory, MiB"],
  rows: ({ rows }) => {
    const named = (name: string, count: number): Saved =>
      rows.find((row: Saved) => row.name === `${name}-x${count}`);
    const names = new Set<string>(rows.map(({ name }: Saved) => name.replace(/-x\d$/, "")));
    return [...names].map((name) => {
      const found = [named(name, 1), named(name, 2)].filter((row) => row !== undefined);
      return {
        label: labelOf(name),
        isOurs: isStage(name),
        values: found.map(({ cpuUsPerRequest }, series) => ({ ...cpuUsPerRequest, series })),
        cells: found.flatMap(({ cpuUsPerRequest, peakRssMiB }) => [
          spread(cpuUsPerRequest),
          figure(peakRssMiB),
        ]),
      };
    });
  },
};

function fleet(figureOf: (row: Saved) => Value, words: Pick<Kind, "title" | "note" | "columns">): Kind {
  return {
    ...words,
    file: "bench-fleet-m5",
    command: "npm run bench -- fleet --stage m5 --save",
    scale: "log",
    series: ["as a whole table", "as a delta"],
    rows: ({ rows }) =>
      [...new Set<number>(rows.map(({ keys }: Saved) => keys))].map((keys) => {
        const found: Saved[] = ["whole", "delta"].flatMap(
          (push) => rows.find((row: Saved) => row.keys === keys && row.push === push) ?? [],
        );
        return {
          label: `${keys.toLocaleString("en-US")} keys`,
          isOurs: true,
          values: found.map((row, series) => ({ ...figureOf(row), series })),
          cells: found.map((row) => spread(figureOf(row))),
        };
      }),
  };
}

const mebi = (bytes: number): number => bytes / 1024 / 1024;
const ports = comparison(
  "bench-ports",
  "npm run bench -- --only m1,m4,m5,nginx,haproxy,pingora,pingora-m4,go,go-m4",
);

export const kinds: Readonly<Record<string, Kind>> = {
  ...comparison("bench", "npm run bench -- --save"),
  beside,
  bodies,
  connections,
  workers,
  "fleet-bytes": fleet(({ bytesToRouters }) => only(mebi(bytesToRouters)), {
    title: "Bytes of one change, to a thousand routers.",
    note: "MiB on a logarithmic scale. Less is better.",
    columns: ["Table", "Whole, MiB", "Delta, MiB"],
  }),
  "fleet-time": fleet(({ p50Ms, p99Ms }) => ({ median: p50Ms, min: p50Ms, max: p99Ms }), {
    title: "Time until a router uses the change.",
    note: "Milliseconds on a logarithmic scale: the dot is the median router, the line reaches to the 99th percentile.",
    columns: ["Table", "Whole, ms: p50 (to p99)", "Delta, ms: p50 (to p99)"],
  }),
  "ports-cpu": ports.cpu,
  "ports-memory": ports.memory,
};
