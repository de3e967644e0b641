// The mutants of the exercises that this branch changes. All of them take minutes: npm run exercise prove -- --all

import { type CheckResult, error } from "../check.ts";
import { changedExercises } from "../exercise/changed.ts";
import { mutateExercises } from "../exercise/mutation.ts";

export const check = {
  name: "mutants",
  title: "The tests of the exercises that changed notice every slip, or it is named as equivalent",
  order: 82,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const { exercises, words } = await changedExercises(root);
  const results = await mutateExercises(exercises);
  const mutants = results.reduce((sum, result) => sum + result.mutants.length, 0);
  const findings = results.flatMap((result) => result.findings);
  if (exercises.length > 0 && mutants === 0 && findings.length === 0)
    findings.push(error("exercises", "not one mutant was made: nothing was proven"));
  return { findings, looked: `${mutants} mutants of ${words}` };
}
