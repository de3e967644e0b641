// What the page needs of one exercise: the same files that the terminal runs, as `scripts/docs/exercise-bundle.ts` gathers
// them when the site is built.

import type { ExerciseSpec } from "../../scripts/exercise/exercise-spec.ts";

/** Editable file → its text. */
export type AnswerFiles = Readonly<Record<string, string>>;

/** Path from the root of the clone → the file's text as CommonJS, its types stripped. */
export type CompiledModules = Readonly<Record<string, string>>;

export interface ExerciseBundle {
  readonly spec: ExerciseSpec;
  readonly starter: AnswerFiles;
  /** The tests and everything that they or an answer import, apart from the answer itself. */
  readonly modules: CompiledModules;
  /** Packages and Node modules that these import: names that `externals.ts` lists. */
  readonly externals: readonly string[];
  /** Paths of the test files among the modules. */
  readonly tests: readonly string[];
}

/** Loaded when they are needed: most learners of an exercise fail in few ways. */
export interface ExerciseAnswers {
  readonly solution: AnswerFiles;
  /** File of the wrong answer, as exercise.json names it → the whole answer. */
  readonly wrong: Readonly<Record<string, AnswerFiles>>;
}

/** Root of the clone, as paths and stacks in the page have it. No such folder exists anywhere. */
export const pageRoot = "/workbook";

/** `m4/03-half-open` → `m4-03-half-open`, as in the page's address. */
export function slugOf(id: string): string {
  return id.replace("/", "-");
}

/** Where an editable file stands in the page, from the root of the clone. */
export function starterPath(id: string, name: string): string {
  return `exercises/${id}/starter/${name}`;
}
