// A learner's way through one exercise a milestone, from a fresh copy: see scripts/exercise/journey.ts.

import { type CheckResult, error } from "../check.ts";
import { takeJourney } from "../exercise/journey.ts";

export const check = {
  name: "exercise-journey",
  title: "A learner can open, fail, ask, reset, solve, go on and resume",
  order: 85,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const { steps, exercises, fault } = await takeJourney(root);
  const findings = fault === undefined ? [] : [error("scripts/exercise.ts", fault)];
  return { findings, looked: `${steps} steps through ${exercises.join(", ")}` };
}
