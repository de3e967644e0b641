// Keeps each answer once. A wrong or right answer becomes a unified diff against the solution, and is written anew when
// the solution has changed; a solution that equals a file of its stage is taken from there. What is proven stays the same.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { applyPatch, createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import { packageFile, runNode } from "../run-tool.ts";
import {
  answerSource,
  fileSource,
  movedText,
  patchFile,
  stageText,
  typeScriptFiles,
  variantsOf,
} from "./answer-source.ts";
import { type Exercise, loadExercise } from "./exercise-spec.ts";
import { relativeImportsOf } from "./relocate-imports.ts";

export interface Refreshed {
  /** What was done, a line each. */
  readonly done: readonly string[];
  /** What has to be done by hand. */
  readonly faults: readonly string[];
}

/** A whole file is easier to read than a patch that repeats most of it. */
const largestPatch = 0.6;

export async function refreshExercise(root: string, id: string): Promise<Refreshed> {
  const done: string[] = [];
  const faults: string[] = [];
  for (const answer of variantsOf(loadExercise(root, id))) {
    const { file, replaces } = answer.kind === "right" ? answer.right : answer.wrong;
    const exercise = loadExercise(root, id);
    const whole = join(exercise.solution, answer.kind, file);
    const outcome = existsSync(whole)
      ? foldIntoPatch(exercise, whole, replaces)
      : refreshPatch(exercise, whole, replaces);
    const name = `${answer.kind}/${file}`;
    if (outcome === "lost")
      faults.push(`${name}: its patch does not fit the solution any more; write the file again`);
    else if (outcome !== "kept") done.push(`${name}: ${outcome}`);
  }
  done.push(...(await takeFromStage(loadExercise(root, id))));
  return { done, faults };
}

type Outcome = "kept" | "is now a patch" | "fits the solution again" | "lost";

function foldIntoPatch(exercise: Exercise, whole: string, replaces: string): Outcome {
  const solution = answerSource(exercise, { kind: "solution" }, replaces);
  // As it reads in the solution's place: the imports are then no difference.
  const text = movedText(exercise, fileSource(whole), solution.path, exercise.solution);
  const patch = patchOf(whole, replaces, solution.text, text);
  if (patch.length > text.length * largestPatch || applyPatch(solution.text, patch) !== text) return "kept";
  writeFileSync(patchFile(whole), patch);
  rmSync(whole);
  return "is now a patch";
}

function refreshPatch(exercise: Exercise, whole: string, replaces: string): Outcome {
  const file = patchFile(whole);
  const solution = answerSource(exercise, { kind: "solution" }, replaces).text;
  const old = readFileSync(file, "utf8");
  // First as strictly as the proof does; then with as much of the surroundings changed as a patch may bear.
  const text = applyPatch(solution, old) || applyPatch(solution, old, { fuzzFactor: 3 });
  if (text === false || text === solution) return "lost";
  const patch = patchOf(whole, replaces, solution, text);
  if (patch === old) return "kept";
  writeFileSync(file, patch);
  return "fits the solution again";
}

function patchOf(whole: string, replaces: string, solution: string, text: string): string {
  const options = { headerOptions: FILE_HEADERS_ONLY };
  return createTwoFilesPatch(replaces, basename(whole), solution, text, undefined, undefined, options);
}

/** Points at a stage's file that is the same, imports aside, and takes the copy away. */
async function takeFromStage(exercise: Exercise): Promise<string[]> {
  const { spec, folder, solution, root } = exercise;
  const found: Record<string, string> = {};
  for (const name of spec.files) {
    const stageFile = `stages/${spec.milestone}/src/${spec.overlay?.files[name] ?? name}`;
    const copy = join(solution, name);
    if (!existsSync(copy) || !existsSync(join(root, stageFile)) || isImported(exercise, copy)) continue;
    if (stageText(exercise, stageFile, name) === readFileSync(copy, "utf8")) found[name] = stageFile;
  }
  if (Object.keys(found).length === 0) return [];
  const file = join(folder, "exercise.json");
  const { overlay, ...rest } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const changed = {
    ...rest,
    from: { ...spec.from, ...found },
    ...(overlay === undefined ? {} : { overlay }),
  };
  writeFileSync(file, JSON.stringify(changed, null, 2));
  await runNode(packageFile("@biomejs/biome/bin/biome"), ["format", "--write", file], { cwd: root });
  for (const name of Object.keys(found)) rmSync(join(solution, name));
  return Object.entries(found).map(([name, stageFile]) => `${name}: is now taken from ${stageFile}`);
}

/** Whether another file beside the solution imports it: the compiler would look for it in vain. */
function isImported({ solution }: Exercise, file: string): boolean {
  return typeScriptFiles(solution)
    .map((name) => join(solution, name))
    .some((other) => relativeImportsOf(readFileSync(other, "utf8"), other).includes(file));
}
