// One answer, checked: assembled, type-checked, run and judged. Used by the learner's commands; the proof of all
// exercises does the same for many answers in one run.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "./answer-source.ts";
import { assemble } from "./assemble.ts";
import type { Exercise } from "./exercise-spec.ts";
import { makeRunFolder, type RunLimits, removeRunFolder, runTests } from "./test-run.ts";
import { typeCheck } from "./type-check.ts";
import { judge, type Verdict } from "./verdict.ts";
import { isUntouched } from "./workspace.ts";

export async function checkAnswer(
  exercise: Exercise,
  answer: Answer,
  limits: RunLimits = {},
): Promise<Verdict> {
  const gone = exercise.spec.files.find((name) => !existsSync(join(exercise.workspace, name)));
  if (answer.kind === "workspace" && gone !== undefined) {
    return {
      kind: "unloadable",
      message: `${gone} is missing. To begin again: npm run exercise reset`,
      typeFaults: [],
    };
  }
  const folder = makeRunFolder(exercise.root);
  try {
    const assembly = assemble(exercise, answer, join(folder, "once", "answer"));
    const [outcome, faults] = await Promise.all([runTests(folder, limits), typeCheck([assembly], folder)]);
    return judge(assembly, outcome, faults, answer.kind === "workspace" && isUntouched(exercise));
  } finally {
    removeRunFolder(folder);
  }
}
