// Every saved figure of the bench as a plot. The site's folder data/ has what `npm run bench -- … --save` wrote. What has not
// been saved is left out, and the page says how to measure it.

import {
  coverageOf,
  inPercent,
  ladderOf,
  type RungsReport,
  storyOf,
  withInterval,
} from "../../bench/rung-savings.ts";
import { type Kind, kinds } from "./bench-kinds.ts";
import { type Plot, plotOf, type SourceRow } from "./plot.ts";
import { readSaved } from "./saved-file.ts";
import { type Saved, takenWords } from "./saved-tables.ts";

/** Above this the machine did more than the bench could bear: the plot itself says so, and not only the text behind it. */
const busyLoad = 4;

function taken(saved: Saved): string {
  const { method, routers } = saved;
  return takenWords(
    saved,
    routers === undefined ? `${method.rounds ?? 1} rounds of ${method.seconds} s` : `${routers} routers`,
  );
}

function caveatOf({ machine }: Saved): string | undefined {
  if (machine.loadBefore <= busyLoad) return undefined;
  return (
    `The machine was busy (load ${Math.round(machine.loadBefore)}): ` +
    "only ranges that don't overlap tell two contenders apart."
  );
}

function draw({ file, rows, reference, ...kind }: Kind): Plot | undefined {
  const saved = readSaved(file);
  if (saved === undefined) return undefined;
  const line = reference?.(saved);
  const words = { taken: taken(saved), caveat: caveatOf(saved) };
  return plotOf({ ...kind, ...words, rows: rows(saved), ...(line && { reference: line }) });
}

/** What each step of m5's rewrite saves, and what seems to be saved where nothing was taken out. */
function drawRungs(): Plot | undefined {
  const saved: (Saved & RungsReport) | undefined = readSaved("bench-rungs");
  if (saved === undefined) return undefined;
  const { steps, others } = ladderOf(saved);
  const rows = steps.map(({ step, part, costs, savedPercent, isNoise }): SourceRow => {
    const { median, low, high } = savedPercent;
    return {
      label: step,
      isOurs: !isNoise,
      values: [{ median, min: low, max: high }],
      value: `${inPercent(median)} %`,
      cells: [part, withInterval(savedPercent), costs],
    };
  });
  return plotOf({
    title: "What each step of the rewrite saves.",
    note:
      `CPU time per request in this run: ${storyOf(saved).replaceAll(" µs", "\u00a0µs")}. A dot shows by how much a step lowers it, in per cent of m5 ` +
      `without that step: the median of the rounds. Its line holds the true median in ${coverageOf(saved)} of such runs.`,
    scale: "linear",
    rows,
    reference: { value: 0, label: "nothing saved" },
    columns: ["Step", "Part", "Saved", "What it costs"],
    caveat: [others, caveatOf(saved)].filter(Boolean).join(" "),
    taken: taken(saved),
    command: "npm run bench -- rungs --save",
  });
}

export type Plots = Readonly<Record<string, Plot>>;

declare const data: Plots;

export { data };

export default {
  watch: ["../data/bench*.json", "../../bench/rungs.ts"],
  load(): Plots {
    const drawn = [
      ...Object.entries(kinds).map(([name, kind]) => [name, draw(kind)] as const),
      ["rungs", drawRungs()] as const,
    ];
    return Object.fromEntries(drawn.flatMap(([name, plot]) => (plot === undefined ? [] : [[name, plot]])));
  },
};
