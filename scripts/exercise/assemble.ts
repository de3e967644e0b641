// Puts one answer to an exercise and the exercise's tests together in a folder that a test run can use.
// The layout is that of the exercise itself (`starter/`, `test/`), so a test imports `../starter/NAME.ts`
// whatever the answer is: the starter, the learner's copy, the solution, a right or a wrong answer.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import type { Exercise, RightAnswer, WrongAnswer } from "./exercise-spec.ts";
import { relocateImports } from "./relocate-imports.ts";

export type Answer =
  | { readonly kind: "starter" }
  | { readonly kind: "workspace" }
  | { readonly kind: "solution" }
  | { readonly kind: "right"; readonly right: RightAnswer }
  | { readonly kind: "wrong"; readonly wrong: WrongAnswer };

/** One assembled answer: where it stands, and where each of its files came from. */
export interface Assembly {
  readonly exercise: Exercise;
  readonly answer: Answer;
  readonly folder: string;
  /** Assembled file → the file that it is a copy of; both absolute. Lines correspond one to one. */
  readonly origins: ReadonlyMap<string, string>;
}

export function starterFolder(exercise: Exercise): string {
  return join(exercise.folder, "starter");
}

/** The file that holds `name` (an editable file) in one answer. */
export function answerFile(exercise: Exercise, answer: Answer, name: string): string {
  switch (answer.kind) {
    case "starter":
      return join(starterFolder(exercise), name);
    case "workspace":
      return join(exercise.workspace, name);
    case "solution":
      return join(exercise.solution, name);
    case "right":
      return answer.right.replaces === name
        ? join(exercise.solution, "right", answer.right.file)
        : join(exercise.solution, name);
    case "wrong":
      return answer.wrong.replaces === name
        ? join(exercise.solution, "wrong", answer.wrong.file)
        : join(exercise.solution, name);
    default:
      return answer satisfies never;
  }
}

/** What an answer is called in reports: `starter`, `solution`, `right/own-map.ts`, `wrong/in-operator.ts`. */
export function answerName(answer: Answer): string {
  if (answer.kind === "right") return `right/${answer.right.file}`;
  return answer.kind === "wrong" ? `wrong/${answer.wrong.file}` : answer.kind;
}

/** Assembles `answer` in `folder` (made when missing; assumed empty). */
export function assemble(exercise: Exercise, answer: Answer, folder: string): Assembly {
  const origins = new Map<string, string>();
  const copy = (origin: string, target: string) => {
    mkdirSync(dirname(target), { recursive: true });
    const moved = relocateImports(readFileSync(origin, "utf8"), origin, target, (path) =>
      assembledPath(exercise, folder, path),
    );
    writeFileSync(target, moved);
    origins.set(target, origin);
  };
  for (const name of answerFileNames(exercise, answer)) {
    copy(answerFile(exercise, answer, name), join(folder, "starter", name));
  }
  const tests = join(exercise.folder, "test");
  for (const name of typeScriptFiles(tests)) copy(join(tests, name), join(folder, "test", name));
  return { exercise, answer, folder, origins };
}

// A learner may split an answer over more files than the starter had.
function answerFileNames(exercise: Exercise, answer: Answer): string[] {
  if (answer.kind !== "workspace") return exercise.spec.files.slice();
  const extra = typeScriptFiles(exercise.workspace).filter((name) => !exercise.spec.files.includes(name));
  return [...exercise.spec.files, ...extra];
}

/**
 * Where a path that a file of the exercise imports stands in the assembly: an answer's file in `starter/`, a
 * test's support in `test/`, and everything else (stages, shared, support) where it is.
 */
function assembledPath(exercise: Exercise, folder: string, path: string): string {
  const name = canonicalName(exercise, path);
  if (name !== undefined) return join(folder, "starter", name);
  const test = inside(join(exercise.folder, "test"), path);
  return test === undefined ? path : join(folder, "test", test);
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

function inside(folder: string, path: string): string | undefined {
  const name = relative(folder, path);
  return name === "" || name.startsWith("..") ? undefined : name.split(sep).join("/");
}

/** The `.ts` files below a folder, as sorted names with forward slashes; none when the folder is missing. */
export function typeScriptFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => name.split(sep).join("/"))
    .filter((name) => name.endsWith(".ts") && !basename(name).startsWith("."))
    .sort();
}
