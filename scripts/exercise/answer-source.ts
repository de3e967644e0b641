// The text of an answer, wherever it is kept: a starter or a learner's copy is a file; a solution is a file, or the stage's
// own (`from`); a wrong or right answer is a file, or a unified diff against the solution. All that is the same in two
// answers is so kept once, and a fix in a stage touches no copy of it.

import { existsSync, readFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { applyPatch } from "diff";
import { BrokenPromiseError } from "../command-line.ts";
import { filesUnder } from "../stages.ts";
import type { Exercise, RightAnswer, WrongAnswer } from "./exercise-spec.ts";
import { relocateImports } from "./relocate-imports.ts";

export type Answer =
  | { readonly kind: "starter" }
  | { readonly kind: "workspace" }
  | { readonly kind: "solution" }
  | { readonly kind: "right"; readonly right: RightAnswer }
  | { readonly kind: "wrong"; readonly wrong: WrongAnswer };

export interface AnswerSource {
  readonly text: string;
  /** Where the text reads as if it stood: its relative imports are meant from here. Absolute. */
  readonly path: string;
  /** The file that a person edits: the text itself, the patch that makes it, or the stage's file. Absolute. */
  readonly origin: string;
}

export function starterFolder(exercise: Exercise): string {
  return join(exercise.folder, "starter");
}

/** The steps that `npm run exercise run` takes. */
export function runFile(exercise: Exercise): string {
  return join(exercise.folder, "run.ts");
}

/** The right and wrong answers of an exercise. */
export function variantsOf({ spec }: Exercise): Extract<Answer, { kind: "right" | "wrong" }>[] {
  return [
    ...(spec.rightAnswers ?? []).map((right) => ({ kind: "right" as const, right })),
    ...spec.wrongAnswers.map((wrong) => ({ kind: "wrong" as const, wrong })),
  ];
}

/** What an answer is called in reports: `starter`, `solution`, `right/own-map.ts`, `wrong/in-operator.ts`. */
export function answerName(answer: Answer): string {
  if (answer.kind === "right") return `right/${answer.right.file}`;
  return answer.kind === "wrong" ? `wrong/${answer.wrong.file}` : answer.kind;
}

/**
 * One editable file of an answer.
 * @throws BrokenPromiseError when a patch does not fit the solution; the error of the file system when a file is missing.
 */
export function answerSource(exercise: Exercise, answer: Answer, name: string): AnswerSource {
  switch (answer.kind) {
    case "starter":
      return fileSource(join(starterFolder(exercise), name));
    case "workspace":
      return fileSource(join(exercise.workspace, name));
    case "solution":
      return solutionSource(exercise, name);
    case "right":
    case "wrong": {
      const { replaces, file } = answer.kind === "right" ? answer.right : answer.wrong;
      return replaces === name
        ? variantSource(exercise, answer.kind, name, file)
        : solutionSource(exercise, name);
    }
    default:
      return answer satisfies never;
  }
}

export function fileSource(file: string): AnswerSource {
  return { text: readFileSync(file, "utf8"), path: file, origin: file };
}

function solutionSource(exercise: Exercise, name: string): AnswerSource {
  const path = join(exercise.solution, name);
  const from = exercise.spec.from?.[name];
  if (from === undefined) return fileSource(path);
  return { text: stageText(exercise, from, name), path, origin: join(exercise.root, from) };
}

/** A stage's file as it reads in the solution's folder. */
export function stageText(exercise: Exercise, stageFile: string, name: string): string {
  const origin = join(exercise.root, stageFile);
  const taken = new Map(Object.entries({ ...exercise.spec.from, [name]: stageFile }));
  return relocateImports(readFileSync(origin, "utf8"), origin, join(exercise.solution, name), (path) => {
    // What this exercise takes from the stage too is a sibling here.
    const sibling = [...taken].find(([, file]) => join(exercise.root, file) === path);
    return sibling === undefined ? path : join(exercise.solution, sibling[0]);
  });
}

/** A wrong or right answer. A patch is applied to the solution, and reads as if it stood in its place. */
function variantSource(
  exercise: Exercise,
  kind: "wrong" | "right",
  name: string,
  file: string,
): AnswerSource {
  const whole = join(exercise.solution, kind, file);
  const patch = patchFile(whole);
  if (existsSync(whole) || !existsSync(patch)) return fileSource(whole);
  const solution = solutionSource(exercise, name);
  const text = applyPatch(solution.text, readFileSync(patch, "utf8"));
  if (text === false) {
    const where = relative(exercise.root, patch).split(sep).join("/");
    throw new BrokenPromiseError(
      `${where} does not fit the solution any more: npm run exercise refresh ${exercise.spec.id}`,
    );
  }
  return { text, path: solution.path, origin: patch };
}

/** Where the patch of `wrong/NAME.ts` lies: `wrong/NAME.patch`. */
export function patchFile(wholeFile: string): string {
  return wholeFile.replace(/\.ts$/, ".patch");
}

/** The editable file that `path` stands for, in whichever answer it lies; undefined when it is none. */
export function canonicalName(exercise: Exercise, path: string): string | undefined {
  const { wrongAnswers, rightAnswers = [] } = exercise.spec;
  const wrong = wrongAnswers.find((each) => join(exercise.solution, "wrong", each.file) === path);
  const right = rightAnswers.find((each) => join(exercise.solution, "right", each.file) === path);
  const answer = wrong ?? right;
  if (answer !== undefined) return answer.replaces;
  // Wrong and right answers stand one folder below the solution, and import what they do not replace from `../`.
  for (const base of [
    starterFolder(exercise),
    join(exercise.solution, "wrong"),
    join(exercise.solution, "right"),
    exercise.solution,
    exercise.workspace,
  ]) {
    const name = inside(base, path);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** The text of a file, moved to `to`, with the exercise's own files imported from `folder`, whichever answer they lie in. */
export function movedText(
  exercise: Exercise,
  { text, path }: Pick<AnswerSource, "text" | "path">,
  to: string,
  folder: string,
): string {
  return relocateImports(text, path, to, (imported) => {
    const name = canonicalName(exercise, imported);
    return name === undefined ? imported : join(folder, name);
  });
}

/** `path` as a name within `folder`, with forward slashes; undefined when it lies elsewhere. */
export function inside(folder: string, path: string): string | undefined {
  const name = relative(folder, path);
  return name === "" || name.startsWith("..") ? undefined : name.split(sep).join("/");
}

/** The `.ts` files below a folder, as `filesEnding` names them. */
export function typeScriptFiles(folder: string): string[] {
  return filesEnding(folder, ".ts");
}

/** The files below a folder whose names end so, sorted, with forward slashes; none when the folder is missing. */
export function filesEnding(folder: string, ending: string): string[] {
  return filesUnder(folder).filter((name) => name.endsWith(ending) && !basename(name).startsWith("."));
}
