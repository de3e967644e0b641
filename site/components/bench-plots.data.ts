// Every saved figure of the bench as a plot. The site's folder data/ has what `npm run bench -- … --save` wrote, and m5's
// README has its ladder. What has not been saved is left out, and the page says how to measure it.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readLadder } from "./ladder.data.ts";
import { type Plot, type PlotSource, plotOf, type SourceRow, type Value, withRange } from "./plot.ts";
import { rungsOf } from "./rungs.ts";
import { figure, type Saved, takenWords } from "./saved-tables.ts";

/** A plot before its data are read. */
interface Kind extends Pick<PlotSource, "title" | "note" | "scale" | "isBar" | "series" | "columns"> {
  /** Name of the file in data/, without its ending. */
  readonly file: string;
  readonly command: string;
  readonly rows: (saved: Saved) => readonly SourceRow[];
  readonly reference?: (saved: Saved) => PlotSource["reference"];
}

const folder = fileURLToPath(new URL("../data", import.meta.url));
const readme = fileURLToPath(new URL("../../stages/m5/README.md", import.meta.url));
/** Above this the machine did more than the bench could bear: the plot itself says so, and not only the text behind it. */
const busyLoad = 4;
const overlap = "only ranges that don't overlap tell two contenders apart";

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

function read(name: string): Saved {
  const file = `${folder}/${name}.json`;
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

function taken(saved: Saved): string {
  const { method, routers } = saved;
  return takenWords(
    saved,
    routers === undefined ? `${method.rounds ?? 1} rounds of ${method.seconds} s` : `${routers} routers`,
  );
}

function caveatOf({ machine }: Saved): string | undefined {
  if (machine.loadBefore <= busyLoad) return undefined;
  return `The machine was busy (load ${Math.round(machine.loadBefore)}): ${overlap}.`;
}

/** A row for each contender that has these values, the best first. */
function contenders(
  values: (row: Saved) => readonly (Value | undefined)[],
  cells: (row: Saved) => readonly string[],
  best: "least" | "most" = "least",
): (saved: Saved) => readonly SourceRow[] {
  return ({ rows }) => {
    const sign = best === "least" ? 1 : -1;
    return (rows as Saved[])
      .filter((row) => row.kind !== "none")
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
function comparison(file: string, command: string): Readonly<Record<string, Kind>> {
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
      series: ["99 % of the requests (p99)", "half of them (p50)"],
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

function bodies(file: string, command: string): Kind {
  return {
    file,
    command,
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
}

function bodiesMemory(file: string, command: string): Kind {
  return {
    file,
    command,
    title: "Peak memory with large bodies.",
    note: "MiB on a logarithmic scale. Whoever keeps a whole body of 16 MiB would show it here.",
    scale: "log",
    columns: ["Contender", "MiB"],
    rows: contenders(
      ({ peakRssMiB }) => [only(peakRssMiB)],
      ({ peakRssMiB }) => [figure(peakRssMiB)],
    ),
  };
}

function connections(file: string, command: string): Kind {
  return {
    file,
    command,
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
}

function workers(figureOf: (row: Saved) => Value, words: Pick<Kind, "title" | "note" | "columns">): Kind {
  return {
    ...words,
    file: "bench-workers",
    command: "npm run bench -- workers --save",
    scale: "linear",
    series: ["one worker", "two workers"],
    rows: ({ rows }) => {
      const named = (name: string, count: number): Saved =>
        rows.find((row: Saved) => row.name === `${name}-x${count}`);
      const names = new Set<string>(rows.map(({ name }: Saved) => name.replace(/-x\d$/, "")));
      return [...names].map((name) => {
        const found = [named(name, 1), named(name, 2)].filter((row) => row !== undefined);
        return {
          label: labelOf(name),
          isOurs: isStage(name),
          values: found.map((row, series) => ({ ...figureOf(row), series })),
          cells: found.flatMap((row) => [spread(figureOf(row)), figure(row.peakRssMiB)]),
        };
      });
    },
  };
}

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
const ports = "npm run bench -- --only m1,m4,m5,nginx,haproxy,pingora,pingora-m4,go,go-m4";

const kinds: Readonly<Record<string, Kind>> = {
  ...comparison("bench", "npm run bench -- --save"),
  bodies: bodies("bench-bodies", "npm run bench -- bodies --save"),
  "bodies-memory": bodiesMemory("bench-bodies", "npm run bench -- bodies --save"),
  connections: connections("bench-connections", "npm run bench -- connections --save"),
  workers: workers(({ cpuUsPerRequest }) => cpuUsPerRequest, {
    title: "One worker and two: CPU time per request.",
    note: "Microseconds, median and range. Less is better.",
    columns: ["Contender", "One, µs", "Its memory, MiB", "Two, µs", "Their memory, MiB"],
  }),
  "workers-rate": workers(({ requestsPerSecond }) => requestsPerSecond, {
    title: "One worker and two: requests per second.",
    note: "Two cores, which the load generator and the cells share. More is better.",
    columns: ["Contender", "One", "Its memory, MiB", "Two", "Their memory, MiB"],
  }),
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
  ...Object.fromEntries(
    Object.entries(comparison("bench-ports", ports)).map(([name, kind]) => [`ports-${name}`, kind]),
  ),
  "ports-bodies": bodies(
    "bench-ports-bodies",
    "npm run bench -- bodies --only m1,m5,nginx,haproxy,pingora,go",
  ),
  "ports-connections": connections(
    "bench-ports-connections",
    "npm run bench -- connections --only m1,m5,nginx,haproxy,pingora,go",
  ),
};

function draw({ file, rows, reference, ...kind }: Kind): Plot | undefined {
  const saved = read(file);
  if (saved === undefined) return undefined;
  const line = reference?.(saved);
  const words = { taken: taken(saved), caveat: caveatOf(saved) };
  return plotOf({ ...kind, ...words, rows: rows(saved), ...(line && { reference: line }) });
}

/**
 * m4 and m5 beside everyone else, as multiples of nginx. Ratios are taken within a round, so they may come from two runs, where
 * times may not: the ports were measured in another one.
 */
function drawBeside(): Plot | undefined {
  const runs = [
    { saved: read("bench"), names: ["m4", "m5", "haproxy", "nginx", "reply-from"] },
    { saved: read("bench-ports"), names: ["pingora", "go"] },
  ].filter(({ saved }) => saved !== undefined);
  const rows = runs.flatMap(({ saved, names }) =>
    names.flatMap((name): SourceRow[] => {
      const ratio: Value | undefined = saved.rows.find((row: Saved) => row.name === name)?.cpuRatios?.nginx;
      if (ratio === undefined) return [];
      const when = `${saved.takenAt.slice(0, 10)}, load ${saved.machine.loadBefore}`;
      const of = { label: labelOf(name), isOurs: isStage(name), values: [ratio] };
      return [{ ...of, cells: [spread(ratio), when] }];
    }),
  );
  if (rows.length < 3) return undefined;
  const busy = runs.find(({ saved }) => caveatOf(saved) !== undefined);
  return plotOf({
    title: "CPU time per request, as a multiple of nginx's.",
    note: "Median and range of ratios that were taken within each round. Less is better.",
    scale: "linear",
    isBar: true,
    rows: rows.toSorted((a, b) => (b.values[0]?.median ?? 0) - (a.values[0]?.median ?? 0)),
    columns: ["Contender", "÷ nginx", "The run"],
    caveat:
      busy &&
      `${busy.names.map(labelOf).join(" and ")} come from another run, on a busy machine (load ${Math.round(busy.saved.machine.loadBefore)}).`,
    taken: runs.map(({ saved }) => taken(saved)).join(" The ports: "),
    command: "npm run bench",
  });
}

function drawRungs(): Plot {
  const rungs = rungsOf(readLadder(readFileSync(readme, "utf8")));
  return plotOf({
    title: "What each step of the rewrite is worth.",
    note: "How many times the CPU time a request would cost without it. A dot for each run that measured it, and a line from one to the other.",
    scale: "log",
    rows: rungs.map(({ name, ratios }) => {
      const [min, max] = [Math.min(...ratios), Math.max(...ratios)];
      return {
        label: name,
        isOurs: true,
        values: ratios.map((median) => ({ median, min, max })),
        value: [...new Set([min, max])].map((ratio) => ratio.toFixed(2)).join("–"),
        cells: [ratios.map((ratio) => ratio.toFixed(2)).join(", ")],
      };
    }),
    reference: { value: 1, label: "no gain" },
    columns: ["Step", "Without it"],
    taken: "From the README of m5, which has the method, the price of each step, and what did not pay.",
    command: "",
  });
}

export type Plots = Readonly<Record<string, Plot>>;

declare const data: Plots;

export { data };

export default {
  watch: ["../data/bench*.json", "../../stages/m5/README.md"],
  load(): Plots {
    const drawn = [
      ...Object.entries(kinds).map(([name, kind]) => [name, draw(kind)] as const),
      ["beside", drawBeside()] as const,
      ["rungs", drawRungs()] as const,
    ];
    return Object.fromEntries(drawn.flatMap(([name, plot]) => (plot === undefined ? [] : [[name, plot]])));
  },
};
