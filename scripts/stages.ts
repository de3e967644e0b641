// Which stages there are, where they stand, and what each one needs to run.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "./command-line.ts";

/** The folder of the project, without a slash at the end. */
export const projectRoot = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Every milestone of the workbook, in order, whether it stands in the tree yet or not. */
export const milestones = ["m1", "m2", "m3", "m4", "m5"] as const;
export type Milestone = (typeof milestones)[number];

export function stageFolder(stage: Milestone, root = projectRoot): string {
  return join(root, "stages", stage);
}

/** The milestones that stand in the tree. */
export function presentStages(root = projectRoot): Milestone[] {
  return milestones.filter((stage) => existsSync(join(stageFolder(stage, root), "src", "main.ts")));
}

/** Reads a stage's name from the command line. @throws UsageError with the names that would do */
export function parseStage(word: string | undefined, root = projectRoot): Milestone {
  const present = presentStages(root);
  const choice = present.length === 0 ? "none stands here yet" : `one of ${present.join(", ")}`;
  if (word === undefined) throw new UsageError(`name a stage: ${choice}`);
  const stage = milestones.find((milestone) => milestone === word);
  if (stage === undefined) throw new UsageError(`unknown stage "${word}": ${choice}`);
  if (!present.includes(stage)) throw new UsageError(`stage ${stage} is not in this tree yet: ${choice}`);
  return stage;
}

/** Whether `stage` has what milestone `since` brought. */
export function isAtLeast(stage: Milestone, since: Milestone): boolean {
  return milestones.indexOf(stage) >= milestones.indexOf(since);
}

/** Paths of all files under `folder`, relative, with `/`, sorted; empty when there is no such folder. */
export function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}
