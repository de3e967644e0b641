// What `npm run exercise run` sends, for the exercises that this branch changes. All: npm run exercise prove -- --all

import type { CheckResult } from "../check.ts";
import { changedExercises } from "../exercise/changed.ts";
import { proveRuns } from "../exercise/run-proof.ts";

export const check = {
  name: "exercise-runs",
  title: "The requests of the exercises that changed are red with the starter and green with the solution",
  order: 83,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const { exercises, words } = await changedExercises(root);
  return { findings: await proveRuns(exercises), looked: words };
}
