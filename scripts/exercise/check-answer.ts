// One answer, checked: assembled, type-checked, run and judged. Used by the learner's commands; the proof of all
// exercises does the same for many answers in one run.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "./answer-source.ts";
import { assemble } from "./assemble.ts";
import type { Exercise, WrongAnswer } from "./exercise-spec.ts";
import { modulesBelow } from "./run-outcome.ts";
import { makeRunFolder, type RunLimits, runTests } from "./test-run.ts";
import { typeCheck } from "./type-check.ts";
import { candidatesOf, judge, type Verdict, visibleValues, withTheSameValues } from "./verdict.ts";
import { untouchedFiles } from "./workspace.ts";

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
  const [verdict] = await checkTogether([exercise], answer, limits);
  if (verdict === undefined) throw new Error(`No verdict on ${exercise.spec.id}`);
  return verdict;
}

/** The same answer to several exercises of one tree, in one run: for tests, which have many. All of them must come back. */
export async function checkTogether(
  exercises: readonly Exercise[],
  answer: Answer,
  limits: RunLimits = {},
): Promise<Verdict[]> {
  using temporary = makeRunFolder(exercises[0]?.root ?? "");
  const folder = temporary.path;
  const assemblies = exercises.map((exercise, index) =>
    assemble(exercise, answer, join(folder, "once", `answer-${index}`)),
  );
  const [outcome, faults] = await Promise.all([runTests(folder, limits), typeCheck(assemblies, folder)]);
  return await Promise.all(
    assemblies.map(async (assembly) => {
      const { exercise } = assembly;
      const untouched = answer.kind === "workspace" ? untouchedFiles(exercise) : [];
      const own = faults.filter((fault) => fault.assembly === assembly);
      const verdict = judge(assembly, outcome, own, untouched);
      if (verdict.kind !== "failed" || verdict.misconceptions.length === 0 || outcome.kind !== "finished")
        return verdict;
      const values = visibleValues(modulesBelow(outcome.results, assembly.folder));
      const candidates = candidatesOf(exercise.spec, verdict.failing, untouched);
      return { ...verdict, misconceptions: await confirmed(exercise, candidates, values, limits) };
    }),
  );
}

/** The sentences of those wrong answers that show the very values that the learner's code showed: they are run now. */
async function confirmed(
  exercise: Exercise,
  candidates: readonly WrongAnswer[],
  values: ReadonlyMap<string, string>,
  limits: RunLimits,
): Promise<string[]> {
  using temporary = makeRunFolder(exercise.root);
  const assemblies = candidates.map((wrong, index) =>
    assemble(exercise, { kind: "wrong", wrong }, join(temporary.path, "once", String(index))),
  );
  const outcome = await runTests(temporary.path, limits);
  if (outcome.kind !== "finished") return [];
  const { results } = outcome;
  const theirs = assemblies.map((assembly) => visibleValues(modulesBelow(results, assembly.folder)));
  return withTheSameValues(candidates, theirs, values).map((wrong) => wrong.because);
}
