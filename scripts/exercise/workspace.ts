// The learner's own copies. They are made once, from the starter, in a folder that git ignores: a later
// `git pull` never meets them, and nothing here ever overwrites one without archiving it first.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileSource, movedText, starterFolder, typeScriptFiles } from "./answer-source.ts";
import type { Exercise } from "./exercise-spec.ts";
import { fileStamp } from "./progress.ts";
import { saysTheSame } from "./untouched.ts";

/** Copies the editable files that the learner does not have yet. Returns their names. */
export function openWorkspace(exercise: Exercise): string[] {
  const missing = exercise.spec.files.filter((name) => !existsSync(join(exercise.workspace, name)));
  for (const name of missing) {
    const file = join(exercise.workspace, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, starterFor(exercise, name));
  }
  const config = join(exercise.root, "workspace", "tsconfig.json");
  if (!existsSync(config)) {
    mkdirSync(dirname(config), { recursive: true });
    writeFileSync(config, editorConfig);
  }
  return missing;
}

/** So that an editor judges the learner's files as `check` does. The project's own tsconfig leaves them out. */
const editorConfig = `{
  "extends": "../tsconfig.json",
  "compilerOptions": { "noUnusedLocals": false, "noUnusedParameters": false },
  "include": ["m*/**/*.ts"],
  "exclude": []
}
`;

/** The starter's text as it reads in the learner's folder. */
function starterFor(exercise: Exercise, name: string): string {
  const starter = fileSource(join(starterFolder(exercise), name));
  return movedText(exercise, starter, join(exercise.workspace, name), exercise.workspace);
}

/** The learner's files that still say what they were given, whatever became of spaces, line ends and comments. */
export function untouchedFiles(exercise: Exercise): string[] {
  return exercise.spec.files.filter((name) => {
    const file = join(exercise.workspace, name);
    return existsSync(file) && saysTheSame(readFileSync(file, "utf8"), starterFor(exercise, name));
  });
}

/**
 * Begins again from the starter. The learner's folder is moved to `workspace/.archive/<id>/<time>` first.
 * Returns where it went, or undefined when there was nothing to keep.
 */
export function resetWorkspace(exercise: Exercise, nowIso: string): string | undefined {
  const archive = archiveWorkspace(exercise, nowIso);
  openWorkspace(exercise);
  return archive;
}

function archiveWorkspace(exercise: Exercise, nowIso: string): string | undefined {
  if (typeScriptFiles(exercise.workspace).length === 0) return undefined;
  const base = join(exercise.root, "workspace", ".archive", exercise.spec.id, fileStamp(nowIso));
  // Two resets within one tick of the clock must not overwrite each other.
  let archive = base;
  for (let count = 2; existsSync(archive); count++) archive = `${base}-${count}`;
  mkdirSync(dirname(archive), { recursive: true });
  renameSync(exercise.workspace, archive);
  return archive;
}
