// Gathers what the page needs of an exercise: its tests, what they import, and every answer, with the types stripped where
// nobody edits them. What runs in the page and what does not is found by what is imported, never typed into a list.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AnswerFiles, ExerciseAnswers, ExerciseBundle } from "../../site/exercise/bundle.ts";
import { starterPath } from "../../site/exercise/bundle.ts";
import { globals, isExternal } from "../../site/exercise/externals.ts";
import { resolvePath } from "../../site/exercise/linker.ts";
import { requiredBy, stripTypes } from "../../site/exercise/strip-types.ts";
import {
  type Answer,
  answerSource,
  canonicalName,
  typeScriptFiles,
  variantsOf,
} from "../exercise/answer-source.ts";
import type { Exercise } from "../exercise/exercise-spec.ts";
import { relocateImports } from "../exercise/relocate-imports.ts";
import { readSource } from "../source-imports.ts";

export type Gathered =
  | { readonly runs: true; readonly bundle: ExerciseBundle }
  /** `because` completes "It cannot run in the page: …". */
  | { readonly runs: false; readonly because: string };

export function gatherExercise(exercise: Exercise): Gathered {
  const { id } = exercise.spec;
  const starter = answerFiles(exercise, { kind: "starter" });
  const tests = typeScriptFiles(join(exercise.folder, "test"))
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `exercises/${id}/test/${name}`);
  const graph = new ImportGraph(exercise.root);
  for (const path of tests) graph.add(path);
  // An answer may import what the starter does not.
  const answers: Answer[] = [{ kind: "starter" }, { kind: "solution" }, ...variantsOf(exercise)];
  for (const answer of answers)
    for (const [name, text] of Object.entries(answerFiles(exercise, answer)))
      graph.addText(starterPath(id, name), text);
  if (graph.foreign !== undefined) return { runs: false, because: graph.foreign };
  for (const name of exercise.spec.files) graph.modules.delete(starterPath(id, name));
  return {
    runs: true,
    bundle: {
      spec: exercise.spec,
      starter,
      modules: Object.fromEntries(graph.modules),
      externals: [...graph.externals],
      tests,
    },
  };
}

export function gatherAnswers(exercise: Exercise): ExerciseAnswers {
  const wrong = exercise.spec.wrongAnswers.map((each) => [
    each.file,
    answerFiles(exercise, { kind: "wrong", wrong: each }),
  ]);
  return { solution: answerFiles(exercise, { kind: "solution" }), wrong: Object.fromEntries(wrong) };
}

/** An answer's files as they read in the starter's place. */
export function answerFiles(exercise: Exercise, answer: Answer): AnswerFiles {
  const at = (name: string) => join(exercise.folder, "starter", name);
  return Object.fromEntries(
    exercise.spec.files.map((file) => {
      const { text, path } = answerSource(exercise, answer, file);
      const target = (imported: string) => {
        const name = canonicalName(exercise, imported);
        return name === undefined ? imported : at(name);
      };
      return [file, relocateImports(text, path, at(file), target)];
    }),
  );
}

/** Follows imports through the tree. Types are stripped first: what is imported for its type only is not followed. */
export class ImportGraph {
  readonly modules = new Map<string, string>();
  readonly externals = new Set<string>();
  /** The first thing that was met and that the page does not have. */
  foreign: string | undefined;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  add(path: string): void {
    if (!this.modules.has(path)) this.addText(path, readFileSync(join(this.#root, path), "utf8"));
  }

  addText(path: string, text: string): void {
    if (this.foreign !== undefined) return;
    const code = stripTypes(text, path);
    this.modules.set(path, code);
    const required = requiredBy(code);
    const missing = required.find((name) => !name.startsWith(".") && !isExternal(name));
    const used = readSource(text).nodeGlobals.find(({ name }) => !globals.includes(name));
    if (missing !== undefined) this.foreign = `\`${path}\` imports \`${missing}\``;
    else if (used !== undefined) this.foreign = `\`${path}\` uses \`${used.name}\``;
    for (const name of required) {
      if (name.startsWith(".")) this.add(resolvePath(path, name));
      else this.externals.add(name);
    }
  }
}
