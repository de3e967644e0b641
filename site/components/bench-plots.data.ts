// Every saved figure of the bench as a plot. The site's folder data/ has what `npm run bench -- … --save` wrote, and m5's
// README has its ladder. What has not been saved is left out, and the page says how to measure it.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isStage, type Kind, kinds, labelOf, spread } from "./bench-kinds.ts";
import { readLadder } from "./ladder.data.ts";
import { type Plot, plotOf, type SourceRow, type Value } from "./plot.ts";
import { rungsOf } from "./rungs.ts";
import { type Saved, takenWords } from "./saved-tables.ts";

const folder = fileURLToPath(new URL("../data", import.meta.url));
const readme = fileURLToPath(new URL("../../stages/m5/README.md", import.meta.url));
/** Above this the machine did more than the bench could bear: the plot itself says so, and not only the text behind it. */
const busyLoad = 4;
const overlap = "only ranges that don't overlap tell two contenders apart";

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
    note: "The CPU time per request without it, as a multiple of that with it. A dot for each run that measured it, and a line from one to the other.",
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
