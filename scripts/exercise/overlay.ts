// Lays an answer over its stage, so that it serves real traffic: a folder of files that take the place of the
// stage's own, or are added to them. Starting the stage with it is `scripts/stage.ts --overlay`.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { BrokenPromiseError } from "../command-line.ts";
import { type Answer, answerSource, canonicalName } from "./answer-source.ts";
import { type Exercise, listExerciseIds, loadExercise } from "./exercise-spec.ts";
import { relativeImportsOf, relocateImports } from "./relocate-imports.ts";

export type StageName = "m1" | "m2" | "m3" | "m4" | "m5";

/** File name in the stage's src → its text. */
export type OverlayFiles = ReadonlyMap<string, string>;

/**
 * The files of one answer as they read inside the stage's src: imports of the stage and of the answer's other
 * files become `./NAME.ts`.
 * @throws BrokenPromiseError when a file imports something that does not exist inside the stage.
 */
export function overlayFiles(exercise: Exercise, answer: Answer): OverlayFiles {
  const { overlay } = exercise.spec;
  if (overlay === undefined) return new Map();
  const stageSource = join(exercise.root, "stages", overlay.stage, "src");
  const laidOver = new Map<string, string>();
  for (const [name, stageFile] of Object.entries(overlay.files)) {
    const adapter = join(exercise.folder, name);
    const { text: source, path: from } = exercise.spec.files.includes(name)
      ? answerSource(exercise, answer, name)
      : { text: readFileSync(adapter, "utf8"), path: adapter };
    for (const path of relativeImportsOf(source, from)) stageTarget(exercise, stageSource, name, path);
    const to = join(stageSource, stageFile);
    laidOver.set(
      stageFile,
      relocateImports(source, from, to, (path) => stageTarget(exercise, stageSource, name, path)),
    );
  }
  return laidOver;
}

function stageTarget(exercise: Exercise, stageSource: string, name: string, path: string): string {
  const sibling = canonicalName(exercise, path);
  if (sibling !== undefined) {
    const mapped = exercise.spec.overlay?.files[sibling];
    if (mapped === undefined)
      throw new BrokenPromiseError(`${name} imports ${sibling}, which overlay.files does not name`);
    return join(stageSource, mapped);
  }
  if (!path.startsWith(`${stageSource}/`)) {
    const outside = relative(exercise.root, path);
    throw new BrokenPromiseError(
      `${name} imports ${outside}: laid over ${exercise.spec.overlay?.stage}, it can import that stage only`,
    );
  }
  return path;
}

/**
 * Writes the files to lay over `stage`'s src, and nothing else, to a folder in `.state/` that is emptied first.
 * Returns the folder, for `npm run stage mN -- --overlay DIR`.
 */
export function buildOverlay(root: string, stage: StageName, files: OverlayFiles, name = "mine"): string {
  const folder = join(root, ".state", "overlays", `${stage}-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

/** Everything that the learner has opened for a stage, in order; a later exercise wins where two claim one file. */
export interface MineOverlay {
  readonly folder: string;
  /** Ids of the exercises whose files were laid over. */
  readonly exercises: readonly string[];
}

/** The overlay of `npm run stage mN -- --mine`. Its list of exercises is empty when the learner has none yet. */
export function buildMineOverlay(root: string, stage: StageName): MineOverlay {
  const files = new Map<string, string>();
  const exercises: string[] = [];
  for (const id of listExerciseIds(root)) {
    const exercise = loadExercise(root, id);
    const opened = exercise.spec.files.every((file) => existsSync(join(exercise.workspace, file)));
    if (exercise.spec.overlay?.stage !== stage || !opened) continue;
    for (const [file, text] of overlayFiles(exercise, { kind: "workspace" })) files.set(file, text);
    exercises.push(id);
  }
  return { folder: buildOverlay(root, stage, files), exercises };
}
