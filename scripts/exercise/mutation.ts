// Asks of an exercise's tests what a coverage figure cannot: would they notice a slip? StrykerJS changes the solution in
// one place at a time, where the learner's work is: the lines by which solution and starter differ, and those that
// `exercise.json` names beside them. Every change must turn a test red, or stand in `equivalentMutants` with its reason.

import { readFileSync, rmSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { diffLines } from "diff";
import pMap from "p-map";
import { error, type Finding } from "../check.ts";
import { answerSource } from "./answer-source.ts";
import { assemble } from "./assemble.ts";
import type { Exercise } from "./exercise-spec.ts";
import { type Mutant, runStryker } from "./stryker.ts";
import { makeRunFolder } from "./test-run.ts";

export interface MutationResult {
  readonly exercise: Exercise;
  /** Every mutant that could be run, whatever became of it. */
  readonly mutants: readonly Mutant[];
  /** No test failed, and `exercise.json` does not name them. */
  readonly survivors: readonly Mutant[];
  readonly equivalent: number;
  readonly findings: readonly Finding[];
}

/** Mutates several exercises, as many beside each other as the machine has room for. */
export function mutateExercises(exercises: readonly Exercise[]): Promise<MutationResult[]> {
  return pMap(exercises, mutateExercise, { concurrency: 2 });
}

export async function mutateExercise(exercise: Exercise): Promise<MutationResult> {
  using temporary = makeRunFolder(exercise.root);
  const folder = temporary.path;
  try {
    assemble(exercise, { kind: "solution" }, folder);
    const starter = join(folder, "before");
    assemble(exercise, { kind: "starter" }, starter);
    const ranges = exercise.spec.files.flatMap((name) => {
      const before = readFileSync(join(starter, "starter", name), "utf8");
      const after = readFileSync(join(folder, "starter", name), "utf8");
      const also = exercise.spec.mutateAlso?.find((each) => each.file === name)?.lines ?? [];
      return lineRanges(linesToMutate(before, after, also)).map((range) => `starter/${name}:${range}`);
    });
    rmSync(starter, { recursive: true });
    if (ranges.length === 0) return judgeMutants(exercise, []);
    return judgeMutants(exercise, await runStryker(folder, ranges));
  } catch (thrown) {
    const what = `cannot be mutated: ${thrown instanceof Error ? thrown.message : thrown}`;
    const findings = [error(`exercises/${exercise.spec.id}`, what)];
    return { exercise, mutants: [], survivors: [], equivalent: 0, findings };
  }
}

/** Numbers, from 1, of the lines of `after` that `before` has not got, or that `also` names. */
export function linesToMutate(before: string, after: string, also: readonly string[]): number[] {
  const lines = new Set<number>();
  let number = 1;
  for (const part of diffLines(before, after)) {
    if (part.removed) continue;
    for (let each = 0; each < part.count; each++) {
      if (part.added) lines.add(number);
      number += 1;
    }
  }
  for (const [index, line] of after.split("\n").entries())
    if (also.includes(line.trim())) lines.add(index + 1);
  return [...lines].sort((a, b) => a - b);
}

/** `[3, 4, 5, 9]` → `["3-5", "9-9"]`. */
function lineRanges(lines: readonly number[]): string[] {
  const ranges: { from: number; to: number }[] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last?.to === line - 1) last.to = line;
    else ranges.push({ from: line, to: line });
  }
  return ranges.map(({ from, to }) => `${from}-${to}`);
}

/** A mutant that the clock ended was noticed; one that no test reaches was not. */
const unnoticed = ["Survived", "NoCoverage"];

function judgeMutants(exercise: Exercise, mutants: readonly Mutant[]): MutationResult {
  const { id, equivalentMutants = [] } = exercise.spec;
  const alive = mutants.filter((mutant) => unnoticed.includes(mutant.status));
  const survivors = alive.filter((mutant) => !equivalentMutants.some((each) => isMeant(each, mutant)));
  // A machine that is busy may end what would have survived: that is no reason to call an entry out of date.
  const possible = mutants.filter(
    (mutant) => unnoticed.includes(mutant.status) || mutant.status === "Timeout",
  );
  const stale = equivalentMutants.filter((each) => !possible.some((mutant) => isMeant(each, mutant)));
  const findings = [
    ...survivors.map((mutant) => error(placeOf(exercise, mutant), mutantWords(mutant))),
    ...stale.map((each) =>
      error(
        `exercises/${id}/exercise.json`,
        `equivalentMutants is out of date: no mutant "${each.mutant}" survives in ${each.file} at: ${each.line}`,
      ),
    ),
  ];
  return { exercise, mutants, survivors, equivalent: alive.length - survivors.length, findings };
}

/** In the file that a person edits, which may be the stage's. */
function placeOf(exercise: Exercise, { file, line }: Mutant): string {
  const { origin } = answerSource(exercise, { kind: "solution" }, file);
  return `${relative(exercise.root, origin).split(sep).join("/")}:${line}`;
}

function isMeant(
  named: { readonly file: string; readonly line: string; readonly mutant: string },
  mutant: Mutant,
): boolean {
  if (named.file !== mutant.file || named.line.trim() !== mutant.source) return false;
  return named.mutant === mutant.mutator || oneLine(named.mutant) === oneLine(mutant.replacement);
}

function mutantWords({ mutator, original, replacement, status }: Mutant): string {
  const why = status === "NoCoverage" ? "no test reaches it" : "no test notices it";
  return `${mutator} survives, ${why}:\n- ${oneLine(original)}\n+ ${oneLine(replacement)}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
