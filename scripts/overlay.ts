// Lays a learner's files over a copy of a stage: the copy runs, the stage itself is never touched.

import { cpSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { UsageError } from "./command-line.ts";
import { filesUnder, type Milestone, stageFolder } from "./stages.ts";

export interface Overlay {
  /** A stage's folder, ready to run. */
  readonly folder: string;
  /** Files of `src` that were replaced or added, in order. */
  readonly files: readonly string[];
}

/**
 * Copies `stage` to `target` and lays the files of each folder in `sources` over its `src`, the last one on top.
 * `target` must be inside the project, where the stage's packages are found.
 * @throws UsageError when a folder is missing or holds no TypeScript file
 */
export function layOver(stage: Milestone, sources: readonly string[], target: string): Overlay {
  const files = new Set<string>();
  for (const source of sources) {
    if (!existsSync(source)) throw new UsageError(`there is no folder ${nameOf(source)}`);
    const found = statSync(source).isDirectory() ? sourceFiles(source) : [];
    if (found.length === 0)
      throw new UsageError(`no TypeScript file to lay over ${stage} in ${nameOf(source)}`);
    for (const file of found) files.add(file);
  }
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  cpSync(stageFolder(stage), target, { recursive: true });
  for (const source of sources) {
    for (const file of sourceFiles(source)) {
      mkdirSync(dirname(join(target, "src", file)), { recursive: true });
      cpSync(join(source, file), join(target, "src", file));
    }
  }
  return { folder: target, files: [...files].sort() };
}

function sourceFiles(folder: string): string[] {
  return filesUnder(folder).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
}

function nameOf(folder: string): string {
  return relative(process.cwd(), folder) || folder;
}
