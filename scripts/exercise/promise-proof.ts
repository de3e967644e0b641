// What an exercise promises, held against its description: right answers, tests for each bullet of "Done when", and mutants that
// are named as equivalent.

import { answerSource } from "./answer-source.ts";
import type { Exercise } from "./exercise-spec.ts";
import { bulletText, doneWhenOf } from "./lesson-text.ts";

/** One could be the solution in other words. */
const fewestRightAnswers = 2;

export function rightAnswerFaults({ spec }: Exercise): string[] {
  const rightAnswers = spec.rightAnswers ?? [];
  if (rightAnswers.length < fewestRightAnswers)
    return [`there are ${rightAnswers.length} right answers; at least ${fewestRightAnswers} are wanted`];
  return rightAnswers
    .filter((right) => !spec.files.includes(right.replaces))
    .map((right) => `${right.file} replaces ${right.replaces}, which is not editable`);
}

/** Both ways: each bullet of "Done when" has its tests, and each test holds a bullet. */
export function doneWhenFaults(exercise: Exercise): string[] {
  const { doneWhen, tests } = exercise.spec;
  if (doneWhen === undefined) return ["doneWhen is missing: which tests hold the README's promises?"];
  const promised = doneWhenOf(exercise);
  const named = doneWhen.map(({ line }) => bulletText(line));
  const ids = tests.map((test) => test.id);
  const held = doneWhen.flatMap((each) => each.tests);
  return [
    ...promised
      .filter((line) => !named.includes(line))
      .map((line) => `doneWhen does not name the README's line "${line}"`),
    ...named
      .filter((line) => !promised.includes(line))
      .map((line) => `doneWhen names "${line}", which the README's "Done when" has not got`),
    ...held.filter((id) => !ids.includes(id)).map((id) => `doneWhen names "${id}", which is no test`),
    ...ids
      .filter((id) => !held.includes(id))
      .map((id) => `test "${id}" holds no line of doneWhen: the README does not ask for it`),
  ];
}

/** Whether the lines that the description speaks of are there; whether the mutants survive is `mutation.ts`. */
export function mutantFaults(exercise: Exercise): string[] {
  const { equivalentMutants = [], mutateAlso = [], files } = exercise.spec;
  const wanted = [
    ...equivalentMutants.map(({ file, line }) => ({ file, line, field: "equivalentMutants" })),
    ...mutateAlso.flatMap(({ file, lines }) => lines.map((line) => ({ file, line, field: "mutateAlso" }))),
  ];
  return wanted
    .filter(({ file, line }) => {
      if (!files.includes(file)) return true;
      const { text } = answerSource(exercise, { kind: "solution" }, file);
      return !text.split("\n").some((each) => each.trim() === line);
    })
    .map(({ file, line, field }) => `${field} names a line that the solution's ${file} has not got: ${line}`);
}
