// Proves every answer of every exercise that runs in the page, in a browser. `npm run verify` proves a few of each.
//
//   npx tsx scripts/docs/exercise-proof.ts          all answers
//   npx tsx scripts/docs/exercise-proof.ts m1 m4/03 all answers of these
//   npx tsx scripts/docs/exercise-proof.ts --few    as many as verify does
//
// Exit codes: 0 good, 1 the page says something else than Node, 2 ours.

import { runCommand, UsageError, type Values } from "../command-line.ts";
import { listExerciseIds } from "../exercise/exercise-spec.ts";
import { projectRoot } from "../stages.ts";
import { findBrowser, howToGetBrowser, launchBrowser } from "./browser.ts";
import { checkExerciseUse } from "./browser-exercise-use.ts";
import { checkExercises } from "./browser-exercises.ts";
import { buildSite } from "./build.ts";
import { builtSiteFolder } from "./built-site.ts";
import { serveFolder } from "./static-server.ts";

const usage = `Usage: npx tsx scripts/docs/exercise-proof.ts [exercise …] [flags]
  --few    as many answers as verify proves
  --help   this text`;

const options = { few: { type: "boolean" } } as const;

async function main(values: Values<typeof options>, wanted: readonly string[]): Promise<number> {
  const ids = listExerciseIds(projectRoot);
  const unknown = wanted.find((prefix) => !ids.some((id) => id.startsWith(prefix)));
  if (unknown !== undefined) throw new UsageError(`no exercise begins with "${unknown}"`);
  const program = findBrowser();
  if (program === undefined) throw new Error(`There is no browser: ${howToGetBrowser}`);
  const built = await buildSite(projectRoot);
  if (!built.ok) throw new Error(built.output);
  await using server = await serveFolder(builtSiteFolder(projectRoot));
  await using browser = await launchBrowser(program);
  const outcomes = [
    await checkExercises(
      browser,
      server.url,
      projectRoot,
      values.few !== true,
      wanted.length === 0 ? undefined : wanted,
    ),
    await checkExerciseUse(browser, server.url, projectRoot),
  ];
  const faults = outcomes.flatMap((outcome) => outcome.faults);
  for (const fault of faults) console.error(fault);
  console.log(outcomes.map(({ looked }) => looked).join("; "));
  return faults.length === 0 ? 0 : 1;
}

await runCommand({ name: "exercise-proof", usage, options }, main);
