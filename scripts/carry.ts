// Carries a change of one stage's file to the later stages and to the exercises that hold a copy of it.
//
//   npm run carry proxy.ts m1                      what differs from the last commit
//   npm run carry proxy.ts m1 -- --since HEAD~1    what has changed since another one
//   npm run carry test/proxy.test.ts m1            a test
//
// A copy that is the same as the file was becomes the same as the file is. In any other one the change is merged; where it
// does not fit, the copy stays as it is and is named.
//
// Exit codes: 0 the change fits everywhere, 1 it does not, or a wrong argument.

import { existsSync, mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { colours, runCommand, UsageError, type Values } from "./command-line.ts";
import { runProgramFile } from "./run-tool.ts";
import { filesUnder, type Milestone, milestones, parseStage, projectRoot } from "./stages.ts";

const usage = `Usage: npm run carry FILE STAGE [-- flags]
  FILE           a file of the stage: proxy.ts, test/proxy.test.ts, routing.json
  STAGE          where the change has been made
  --since NAME   the commit to compare with (HEAD)
  --help         this text`;

const options = { since: { type: "string", default: "HEAD" } } as const;

/** What became of one copy. */
export type Carried = "same already" | "changed" | "does not fit";

export interface CarriedFile {
  /** Relative to the project. */
  readonly path: string;
  readonly result: Carried;
}

async function main(values: Values<typeof options>, words: readonly string[]): Promise<number> {
  const [name, word, ...others] = words;
  if (name === undefined || word === undefined || others.length > 0)
    throw new UsageError("name a file and its stage, as in: npm run carry proxy.ts m1");
  const carried = await carry(name, parseStage(word), values.since, projectRoot);
  const c = colours();
  const paint = { "same already": c.dim, changed: c.green, "does not fit": c.red };
  for (const { path, result } of carried) console.log(`${paint[result](result.padEnd(12))}  ${path}`);
  if (carried.length === 0) console.log("No later stage and no exercise has this file.");
  return carried.some(({ result }) => result === "does not fit") ? 1 : 0;
}

/** Writes the change into every copy under `root`. @throws UsageError when there is no such file, or no change of it */
export async function carry(
  name: string,
  stage: Milestone,
  since: string,
  root: string,
): Promise<readonly CarriedFile[]> {
  const path = [`stages/${stage}/src/${name}`, `stages/${stage}/${name}`].find((each) =>
    existsSync(join(root, each)),
  );
  if (path === undefined) throw new UsageError(`${stage} has no file "${name}"`);
  const shown = await runProgramFile("git", ["show", `${since}:${path}`], { cwd: root });
  if (shown.code !== 0) throw new UsageError(`${since} has no ${path}: ${shown.output.trim()}`);
  const before = shown.stdout;
  const after = readFileSync(join(root, path), "utf8");
  if (before === after) throw new UsageError(`${path} is as it was in ${since}: there is nothing to carry`);
  const carried: CarriedFile[] = [];
  for (const copy of copiesOf(path, stage, root)) {
    const text = readFileSync(join(root, copy), "utf8");
    const merged = await merge(text, before, after);
    const result = merged === undefined ? "does not fit" : merged === text ? "same already" : "changed";
    if (merged !== undefined && merged !== text) writeFileSync(join(root, copy), merged);
    carried.push({ path: copy, result });
  }
  return carried;
}

/** Files that may be copies: the same path in later stages, and the same name in the exercises of this stage and later ones. */
function copiesOf(path: string, stage: Milestone, root: string): string[] {
  const from = milestones.indexOf(stage);
  const later = milestones.slice(from + 1).map((each) => path.replace(`stages/${stage}/`, `stages/${each}/`));
  const ofExercises = ["exercises", "solutions"].flatMap((folder) =>
    milestones.slice(from).flatMap((each) => {
      const under = `${folder}/${each}`;
      const files = filesUnder(join(root, under)).filter((file) => basename(file) === basename(path));
      return files.map((file) => `${under}/${file}`);
    }),
  );
  return [...later, ...(path.includes("/src/") ? ofExercises : [])].filter((each) =>
    existsSync(join(root, each)),
  );
}

/** The three-way merge of `git`; undefined where both sides changed the same lines. */
async function merge(copy: string, before: string, after: string): Promise<string | undefined> {
  if (copy === before || copy === after) return after;
  using temporary = mkdtempDisposableSync(join(tmpdir(), "cell-routing-carry-"));
  const folder = temporary.path;
  const names = ["copy", "before", "after"] as const;
  const texts = { copy, before, after };
  for (const each of names) writeFileSync(join(folder, each), texts[each]);
  const { code, stdout } = await runProgramFile("git", ["merge-file", "-p", ...names], { cwd: folder });
  return code === 0 ? stdout : undefined;
}

if (import.meta.main) await runCommand({ name: "carry", usage, options }, main);
