// Runs assembled answers, never the folders of this tree: `scripts/exercise/test-run.ts` starts it and names the
// folder. So that a bare `vitest --config exercises/vitest.config.ts` says what to do instead of finding nothing.

import { defineConfig } from "vitest/config";
import { ResultReporter } from "./support/result-reporter.ts";

const runFolder = process.env["EXERCISE_RUN"];
if (runFolder === undefined) throw new Error("Start the tests of an exercise with: npm run exercise check");

function project(name: string, repeats: number) {
  return {
    test: {
      name,
      root: runFolder ?? "",
      include: [`${name}/**/*.test.ts`],
      setupFiles: [new URL("./support/trace.ts", import.meta.url).pathname],
      // A thread dies with the process: an endless loop in the learner's file leaves nothing behind.
      pool: "threads" as const,
      testTimeout: 5_000,
      hookTimeout: 5_000,
      repeats,
    },
  };
}

export default defineConfig({
  test: {
    root: runFolder,
    maxWorkers: 2,
    passWithNoTests: true,
    reporters: [new ResultReporter(runFolder)],
    projects: [project("once", 0), project("repeated", 19)],
  },
});
