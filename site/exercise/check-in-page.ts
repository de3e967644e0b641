// Runs an answer's tests in this thread, from text. The worker does it with what the page has in place of Node
// (`page-externals.ts`), and the proof does it in Node with Node's own.

import type { RunResults } from "../../exercises/support/result-reporter.ts";
import { type AnswerFiles, type ExerciseBundle, pageRoot, starterPath } from "./bundle.ts";
import { Linker } from "./linker.ts";
import { stripTypes } from "./strip-types.ts";
import { newSuite, type RunContext, runModule } from "./test-suite.ts";

export type TestsOf = Pick<ExerciseBundle, "modules" | "tests"> & { readonly id: string };

/** Results without what nobody caught: only the thread knows that. */
export async function runAnswer(
  { id, modules, tests }: TestsOf,
  answer: AnswerFiles,
  externals: ReadonlyMap<string, unknown>,
  context: Omit<RunContext, "load">,
): Promise<RunResults> {
  const results: RunResults["modules"][number][] = [];
  for (const path of tests) {
    const suite = newSuite();
    const file = `${pageRoot}/${path}`;
    const load = () => {
      const world = new Map(Object.entries(modules));
      for (const [name, text] of Object.entries(answer))
        world.set(starterPath(id, name), stripTypes(text, name));
      new Linker({ modules: world, externals: new Map([...externals, ["vitest", suite.vitest]]) }).load(path);
    };
    results.push(await runModule(path, file, suite, { ...context, load }));
  }
  return { modules: results, unhandled: [] };
}
