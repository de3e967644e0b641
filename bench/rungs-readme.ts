// The ladder in m5's README, made from site/data/bench-rungs.json. `npm run bench -- rungs --save` writes both; after a
// change to the words in rungs.ts, `npx tsx bench/rungs-readme.ts` writes the README again.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alignedTable } from "../scripts/markdown.ts";
import { takeNoArguments } from "../shared/testkit/no-arguments.ts";
import { coverageOf, ladderOf, type RungsReport, storyOf, withInterval } from "./rung-savings.ts";

const root = join(import.meta.dirname, "..");
const begin = "<!-- rungs: npx tsx bench/rungs-readme.ts -->";
const end = "<!-- /rungs -->";

/** Where `--save` puts the result. */
export const rungsFile = join(root, "site", "data", "bench-rungs.json");
export const ladderReadme = join(root, "stages", "m5", "README.md");

/** The README with its ladder renewed. @throws Error where it has no place for one */
export function withRungs(readme: string, report: RungsReport): string {
  const [before, rest] = readme.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`m5's README has no place between "${begin}" and "${end}"`);
  return `${before}${begin}\n\n${ladder(report)}\n\n${end}${after}`;
}

function ladder(report: RungsReport): string {
  const { takenAt, machine, method } = report;
  const { steps, others } = ladderOf(report);
  const rows = steps.map(({ step, part, savedPercent, costs }) => {
    return [step, part, withInterval(savedPercent), costs];
  });
  return [
    `**CPU time per request: ${storyOf(report)}.** ${method.rounds} rounds of ${method.seconds} s on ${takenAt.slice(0, 10)}, ` +
      `load before ${machine.loadBefore}, Node ${machine.node}. In brackets, an interval that holds the true median in ` +
      `${coverageOf(report)} of such runs.`,
    alignedTable([["Step", "Part", "Saved", "What it costs"], ...rows]),
    ...(others === "" ? [] : [others]),
  ].join("\n\n");
}

export function renewReadme(): void {
  const report = JSON.parse(readFileSync(rungsFile, "utf8")) as RungsReport;
  writeFileSync(ladderReadme, withRungs(readFileSync(ladderReadme, "utf8"), report));
}

if (import.meta.main) {
  takeNoArguments(`Usage: npx tsx bench/rungs-readme.ts
  Writes m5's ladder into its README again, from site/data/bench-rungs.json`);
  if (existsSync(rungsFile)) renewReadme();
  else console.error("rungs-readme: measure first: npm run bench -- rungs --save");
}
