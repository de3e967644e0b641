// What the first page says of the way and of the result, from the tree: nothing is typed into it.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import plots from "./bench-plots.data.ts";
import exercises from "./exercises.data.ts";
import type { Plot } from "./plot.ts";
import { readSaved } from "./saved-file.ts";
import type { Saved } from "./saved-tables.ts";

export interface Milestone {
  readonly name: string;
  readonly title: string;
  readonly gains: string;
  /** At 200 words a minute, without the code. */
  readonly readMinutes: number;
  readonly exercises: number;
  readonly exerciseMinutes: number;
}

export interface Result {
  /** CPU time of a request: m4's divided by m5's, round by round. */
  readonly gain: number;
  readonly plot: Plot;
}

export interface Home {
  readonly milestones: readonly Milestone[];
  readonly result: Result | null;
  /** Address of the repository, where the site is published. */
  readonly source: string | null;
}

declare const data: Home;

export { data };

const site = fileURLToPath(new URL("..", import.meta.url));

const told = [
  ["m1", "Static routing", "One tenant's load no longer takes the others down."],
  ["m2", "Hot reload", "A tenant moves without a restart, and a bad file harms nobody."],
  [
    "m3",
    "A control plane",
    "One write reaches every router. No request fails while the control plane is down.",
  ],
  ["m4", "Resilience", "A sick cell costs its own tenants little and the others nothing."],
  ["m5", "The rewrite", "The same promises for a fraction of the processor time."],
] as const;

export default {
  watch: ["../m?.md", "../data/bench*.json", "../../exercises/*/*/exercise.json"],
  load(): Home {
    const all = exercises.load();
    const milestones = told.map(([name, title, gains]): Milestone => {
      const mine = all.filter(({ milestone }) => milestone === name);
      return {
        name,
        title,
        gains,
        readMinutes: Math.round(wordCount(readFileSync(`${site}/${name}.md`, "utf8")) / 200),
        exercises: mine.length,
        exerciseMinutes: mine.reduce((sum, { minutes }) => sum + minutes, 0),
      };
    });
    const source = process.env["DOCS_SOURCE"] || null;
    return { milestones, result: resultOf(), source };
  },
};

/** Words of a page that are read: no drawings, no commands, no embedded code. */
function wordCount(markdown: string): number {
  const prose = markdown
    .replace(/^---\n[\s\S]*?\n---\n/, "")
    .replace(/^```[\s\S]*?^```/gm, "")
    .replace(/<svg[\s\S]*?<\/svg>/g, "")
    .replace(/^<<<.*$/gm, "")
    .replace(/<[^>]+>/g, " ");
  return prose.split(/\s+/).filter((word) => /\w/.test(word)).length;
}

function resultOf(): Result | null {
  const plot = plots.load()["beside"];
  if (plot === undefined) return null;
  const m4 = readSaved("bench").rows.find(({ name }: Saved) => name === "m4");
  const gain = m4?.cpuRatios?.m5?.median;
  return gain === undefined ? null : { gain, plot };
}
