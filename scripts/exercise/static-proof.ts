// What can be said about an exercise without running it: every part is there, and the parts agree.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { error, type Finding } from "../check.ts";
import {
  answerSource,
  filesEnding,
  runFile,
  starterFolder,
  typeScriptFiles,
  variantsOf,
} from "./answer-source.ts";
import type { Exercise } from "./exercise-spec.ts";
import { hintsOf, readmeOf, readmeSections, whyOf } from "./lesson-text.ts";
import { plainLikelyFindings } from "./likely-proof.ts";
import { doneWhenFaults, mutantFaults, rightAnswerFaults } from "./promise-proof.ts";

/** Faults of the description, the prose and the files of one exercise. */
export function staticFaults(exercise: Exercise, id: string): Finding[] {
  const missing = fileFaults(exercise);
  const faults = [
    ...describedFaults(exercise, id),
    ...missing,
    ...wrongAnswerFaults(exercise),
    ...rightAnswerFaults(exercise),
    ...doneWhenFaults(exercise),
    ...(missing.length > 0 ? [] : [...patchFaults(exercise), ...mutantFaults(exercise)]),
    ...overlayFaults(exercise),
  ];
  return [
    ...faults.map((what) => error(`exercises/${id}/exercise.json`, what)),
    ...proseFaults(exercise, id),
    ...plainLikelyFindings(exercise),
  ];
}

function describedFaults(exercise: Exercise, id: string): string[] {
  const { spec } = exercise;
  const faults: string[] = [];
  if (spec.id !== id) faults.push(`id is "${spec.id}", but the folder is ${id}`);
  if (!spec.id.startsWith(`${spec.milestone}/`))
    faults.push(`milestone "${spec.milestone}" is not that of the id`);
  for (const kind of ["id", "title"] as const) {
    for (const twice of repeated(spec.tests.map((test) => test[kind])))
      faults.push(`two tests share the ${kind} "${twice}"`);
  }
  if (!spec.tests.some((test) => test.kind === "red")) faults.push("no test is red: there is nothing to do");
  return faults;
}

function fileFaults(exercise: Exercise): string[] {
  const { spec } = exercise;
  const faults = sameFiles("starter/", typeScriptFiles(starterFolder(exercise)), spec.files, "files");
  const solved = typeScriptFiles(exercise.solution).filter((name) => !/^(wrong|right)\//.test(name));
  const taken = Object.entries(spec.from ?? {});
  faults.push(...sameFiles("the solution", [...solved, ...taken.map(([name]) => name)], spec.files, "files"));
  for (const [name, stageFile] of taken) {
    if (solved.includes(name)) faults.push(`from names ${name}, which the solution has itself`);
    if (!existsSync(join(exercise.root, stageFile)))
      faults.push(`from names ${stageFile}, which does not exist`);
  }
  const wrong = variantFiles(exercise, "wrong");
  faults.push(
    ...sameFiles(
      "wrong/",
      wrong,
      spec.wrongAnswers.map((each) => each.file),
      "wrongAnswers",
    ),
  );
  const right = variantFiles(exercise, "right");
  const rightNamed = (spec.rightAnswers ?? []).map((each) => each.file);
  faults.push(...sameFiles("right/", right, rightNamed, "rightAnswers"));
  if (!typeScriptFiles(join(exercise.folder, "test")).some((name) => name.endsWith(".test.ts"))) {
    faults.push("test/ has no *.test.ts");
  }
  return faults;
}

/** Whole files and patches, by the name that `exercise.json` uses for both. */
function variantFiles(exercise: Exercise, kind: "wrong" | "right"): string[] {
  const folder = join(exercise.solution, kind);
  const patches = filesEnding(folder, ".patch").map((name) => name.replace(/\.patch$/, ".ts"));
  return [...typeScriptFiles(folder), ...patches];
}

/** Patches that the solution has moved away from. */
function patchFaults(exercise: Exercise): string[] {
  return variantsOf(exercise).flatMap((answer) => {
    try {
      for (const name of exercise.spec.files) answerSource(exercise, answer, name);
      return [];
    } catch (thrown) {
      return [thrown instanceof Error ? thrown.message : String(thrown)];
    }
  });
}

function sameFiles(
  where: string,
  found: readonly string[],
  named: readonly string[],
  field: string,
): string[] {
  return [
    ...named
      .filter((name) => !found.includes(name))
      .map((name) => `${field} names ${name}, which ${where} has not got`),
    ...found
      .filter((name) => !named.includes(name))
      .map((name) => `${where} has ${name}, which ${field} does not name`),
  ];
}

function wrongAnswerFaults(exercise: Exercise): string[] {
  const { spec } = exercise;
  const ids = spec.tests.map((test) => test.id);
  return spec.wrongAnswers.flatMap((wrong) => [
    ...wrong.fails
      .filter((each) => !ids.includes(each))
      .map((each) => `${wrong.file} fails "${each}", which is no test`),
    ...(spec.files.includes(wrong.replaces)
      ? []
      : [`${wrong.file} replaces ${wrong.replaces}, which is not editable`]),
    ...(/[.?!]$/.test(wrong.because) ? [] : [`because of ${wrong.file} is not a sentence: it has no end`]),
  ]);
}

function overlayFaults(exercise: Exercise): string[] {
  const { overlay, files } = exercise.spec;
  const adapters = typeScriptFiles(join(exercise.folder, "overlay")).map((name) => `overlay/${name}`);
  if (overlay === undefined) return adapters.map((name) => `${name} is there, but there is no overlay`);
  const named = Object.keys(overlay.files);
  return [
    ...named
      .filter((name) => !files.includes(name) && !existsSync(join(exercise.folder, name)))
      .map((name) => `overlay.files names ${name}, which does not exist`),
    ...adapters
      .filter((name) => !named.includes(name))
      .map((name) => `${name} is not named in overlay.files`),
    ...(existsSync(runFile(exercise))
      ? []
      : ["the overlay has no run.ts: `exercise run` would send nothing"]),
    ...(named.some((name) => files.includes(name))
      ? []
      : ["the overlay lays none of the learner's files over the stage"]),
  ];
}

function proseFaults(exercise: Exercise, id: string): Finding[] {
  const faults: Finding[] = [];
  const sections = readmeOf(exercise);
  const headings = sections.map((section) => section.heading);
  if (headings.join("|") !== readmeSections.join("|")) {
    faults.push(error(`exercises/${id}/README.md`, `its sections must be: ${readmeSections.join(", ")}`));
  }
  for (const section of sections.filter((each) => each.body === "")) {
    faults.push(error(`exercises/${id}/README.md`, `"${section.heading}" is empty`));
  }
  const hints = hintsOf(exercise);
  if (hints.length < 3) {
    faults.push(error(`exercises/${id}/hints.md`, `there are ${hints.length} hints; at least 3 are wanted`));
  }
  for (const [index, hint] of hints.entries()) {
    const number = index + 1;
    if (!hint.question.endsWith("?"))
      faults.push(error(`exercises/${id}/hints.md`, `hint ${number} is not a question`));
    if (hint.body === "")
      faults.push(error(`exercises/${id}/hints.md`, `hint ${number} says nothing below its question`));
  }
  if (whyOf(exercise) === "") faults.push(error(`solutions/${id}/WHY.md`, "is missing or empty"));
  return faults;
}

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
