// The verbs for those who write exercises: prove, mutate and refresh. Each prints what it found and returns an exit code.

import type { Finding } from "../check.ts";
import { readArguments, UsageError } from "../command-line.ts";
import { listExerciseIds, loadExercise, resolveExerciseId } from "./exercise-spec.ts";
import { mutateExercises } from "./mutation.ts";
import { proveOverlays } from "./overlay-proof.ts";
import { proveExercises } from "./proof.ts";
import { refreshExercise } from "./refresh.ts";
import { proveRuns } from "./run-proof.ts";

/** For authors: everything that must hold of the named exercises, or of all of them. */
export async function prove(root: string, args: readonly string[]): Promise<number> {
  const options = { quick: { type: "boolean" }, all: { type: "boolean" } } as const;
  const { values, positionals: wanted } = readArguments(options, [...args]);
  if (values.all === true && wanted.length > 0)
    throw new UsageError("Name exercises, or write --all: not both.");
  const ids = listExerciseIds(root);
  const only = wanted.length === 0 ? ids : wanted.map((each) => resolveExerciseId(ids, each));
  const proof = await proveExercises(root, only);
  const findings = [...proof.findings];
  let mutants = 0;
  if (values.quick !== true) {
    findings.push(...(await proveOverlays(root, proof.exercises)), ...(await proveRuns(proof.exercises)));
    for (const result of await mutateExercises(proof.exercises)) {
      findings.push(...result.findings);
      mutants += result.mutants.length;
    }
  }
  printFindings(findings);
  process.stdout.write(
    `${proof.exercises.length} exercises, ${proof.answers} answers, ${mutants} mutants, ${findings.length} findings\n`,
  );
  return findings.some((finding) => finding.level === "error") ? 1 : 0;
}

/** For authors: each mutant that no test notices, and the score of each exercise. */
export async function mutate(root: string, args: readonly string[]): Promise<number> {
  const { positionals: wanted } = readArguments({}, [...args]);
  if (wanted.length === 0) throw new UsageError("Which exercise? Write: npm run exercise mutate ID");
  const ids = listExerciseIds(root);
  const exercises = wanted.map((each) => loadExercise(root, resolveExerciseId(ids, each)));
  const results = await mutateExercises(exercises);
  for (const { exercise, mutants, survivors, equivalent, findings } of results) {
    printFindings(findings);
    const killed = mutants.length - survivors.length - equivalent;
    process.stdout.write(
      `${exercise.spec.id}: ${mutants.length} mutants, ${killed} killed, ${equivalent} equivalent, ${survivors.length} survive\n`,
    );
  }
  return results.some((result) => result.findings.length > 0) ? 1 : 0;
}

/** For authors: rewrites how answers are kept; what they say stays the same. */
export async function refresh(root: string, args: readonly string[]): Promise<number> {
  const { positionals: wanted } = readArguments({}, [...args]);
  const ids = listExerciseIds(root);
  let faulty = false;
  for (const id of wanted.length === 0 ? ids : wanted.map((each) => resolveExerciseId(ids, each))) {
    const { done, faults } = await refreshExercise(root, id);
    for (const line of done) process.stdout.write(`${id}  ${line}\n`);
    for (const line of faults) process.stdout.write(`error ${id}  ${line}\n`);
    faulty ||= faults.length > 0;
  }
  return faulty ? 1 : 0;
}

function printFindings(findings: readonly Finding[]): void {
  for (const { level, where, what } of findings)
    process.stdout.write(`${level} ${where}\n  ${what.replaceAll("\n", "\n  ")}\n`);
}
