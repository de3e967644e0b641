// Puts one answer to an exercise and the exercise's tests together in a folder that a test run can use.
// The layout is that of the exercise itself (`starter/`, `test/`), so a test imports `../starter/NAME.ts`
// whatever the answer is: the starter, the learner's copy, the solution, a right or a wrong answer.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type Answer,
  type AnswerSource,
  answerSource,
  canonicalName,
  inside,
  typeScriptFiles,
} from "./answer-source.ts";
import type { Exercise } from "./exercise-spec.ts";
import { relocateImports } from "./relocate-imports.ts";

/** One assembled answer: where it stands, and where each of its files came from. */
export interface Assembly {
  readonly exercise: Exercise;
  readonly answer: Answer;
  readonly folder: string;
  /** Assembled file → the file that a person edits; both absolute. Lines correspond one to one, except to a patch's. */
  readonly origins: ReadonlyMap<string, string>;
}

/** Assembles `answer` in `folder` (made when missing; assumed empty). */
export function assemble(exercise: Exercise, answer: Answer, folder: string): Assembly {
  const origins = new Map<string, string>();
  const put = ({ text, path, origin }: AnswerSource, target: string) => {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(
      target,
      relocateImports(text, path, target, (imported) => assembledPath(exercise, folder, imported)),
    );
    origins.set(target, origin);
  };
  for (const name of answerFileNames(exercise, answer)) {
    put(answerSource(exercise, answer, name), join(folder, "starter", name));
  }
  const tests = join(exercise.folder, "test");
  for (const name of typeScriptFiles(tests)) {
    const path = join(tests, name);
    put({ text: readFileSync(path, "utf8"), path, origin: path }, join(folder, "test", name));
  }
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
