// Proves every exercise at once: one compiler run and one vitest run over all answers of all exercises.
// The starter fails every red test and no guard, by `check`; the solution passes 20 times over; each wrong answer
// fails exactly the tests that `exercise.json` names, and each right answer passes. What a stage says to the solutions is `overlay-proof.ts`.

import { join } from "node:path";
import type { ModuleResult, TestResult } from "../../exercises/support/result-reporter.ts";
import { error, type Finding, warning } from "../check.ts";
import { type Answer, answerName, variantsOf } from "./answer-source.ts";
import { type Assembly, assemble } from "./assemble.ts";
import { type Exercise, listExerciseIds, loadExercise } from "./exercise-spec.ts";
import { isLikelyFault, likelyFindings, listenToLikely } from "./likely-proof.ts";
import { modulesBelow, type RunOutcome } from "./run-outcome.ts";
import { staticFaults } from "./static-proof.ts";
import { makeRunFolder, type RunLimits, runTests } from "./test-run.ts";
import { typeCheck } from "./type-check.ts";

/** A learner checks after every change: longer than this, and they stop doing so. */
const slowMs = 1_500;
/** How often the solution's tests run; `exercises/vitest.config.ts` repeats them. */
const repetitions = 20;

export interface ProofResult {
  readonly exercises: readonly Exercise[];
  readonly findings: readonly Finding[];
  readonly answers: number;
}

/** @param only Ids to prove; all when absent. */
export async function proveExercises(
  root: string,
  only?: readonly string[],
  limits: RunLimits = { stallMs: 30_000 },
): Promise<ProofResult> {
  const findings: Finding[] = [];
  const sound: Exercise[] = [];
  for (const id of only ?? listExerciseIds(root)) {
    try {
      const exercise = loadExercise(root, id);
      const faults = staticFaults(exercise, id);
      findings.push(...faults);
      // Missing files cannot be assembled; prose that is missing need not stop the rest.
      if (!faults.some((fault) => fault.where.endsWith("exercise.json"))) sound.push(exercise);
    } catch (thrown) {
      findings.push(
        error(`exercises/${id}/exercise.json`, thrown instanceof Error ? thrown.message : String(thrown)),
      );
    }
  }
  if (sound.length === 0) return { exercises: [], findings, answers: 0 };
  using temporary = makeRunFolder(root);
  const folder = temporary.path;
  const assemblies = sound.flatMap((exercise) => assembleAll(exercise, folder));
  const faults = await typeCheck(assemblies, folder);
  findings.push(
    ...faults.map((fault) =>
      error(`${whereOf(fault.assembly)}, line ${fault.line}`, `does not type-check: ${fault.message}`),
    ),
  );
  findings.push(...outcomeFindings(assemblies, await runTests(folder, limits)));
  return { exercises: sound, findings: unique(findings), answers: assemblies.length };
}

function assembleAll(exercise: Exercise, folder: string): Assembly[] {
  const answers: Answer[] = [{ kind: "starter" }, { kind: "solution" }, ...variantsOf(exercise)];
  return answers.map((answer) => {
    const project = answer.kind === "solution" ? "repeated" : "once";
    const name = answerName(answer).replace(/\.ts$/, "");
    const assembly = assemble(exercise, answer, join(folder, project, exercise.spec.id, name));
    if (answer.kind === "solution") listenToLikely(assembly);
    return assembly;
  });
}

function outcomeFindings(assemblies: readonly Assembly[], outcome: RunOutcome): Finding[] {
  if (outcome.kind !== "finished") {
    const what = outcome.kind === "stalled" ? "does not come back" : "ended the test process";
    const guilty = assemblies.flatMap((assembly) =>
      outcome.running
        .filter((event) => event.file.startsWith(assembly.folder))
        .map((event) =>
          error(whereOf(assembly), `${what}: ${event.title === "" ? "while loading" : event.title}`),
        ),
    );
    if (guilty.length > 0) return guilty;
    return [
      error("exercises", outcome.kind === "crashed" ? outcome.output.trim() : "the test run did not start"),
    ];
  }
  const { results } = outcome;
  const uncaught = results.unhandled.map((each) => {
    const owner = assemblies.find((assembly) => each.stack.includes(assembly.folder));
    // A wrong answer may leave any mess; a solution may not.
    if (owner?.answer.kind === "wrong" || owner?.answer.kind === "starter") return undefined;
    return error(
      owner === undefined ? "exercises" : whereOf(owner),
      `leaves an error uncaught: ${each.message}`,
    );
  });
  return [
    ...uncaught.filter((finding) => finding !== undefined),
    ...assemblies.flatMap((assembly) => answerFindings(assembly, modulesBelow(results, assembly.folder))),
  ];
}

function answerFindings(assembly: Assembly, modules: readonly ModuleResult[]): Finding[] {
  const { answer, exercise } = assembly;
  const where = whereOf(assembly);
  const broken = modules.flatMap((module) => module.errors)[0];
  if (broken !== undefined) return [error(where, `cannot be loaded: ${broken.message.split("\n")[0]}`)];
  const tests = modules.flatMap((module) => module.tests);
  const misnamed = nameFindings(exercise, tests, where);
  if (misnamed.length > 0) return misnamed;
  const failed = exercise.spec.tests.filter((test) => {
    const result = tests.find((each) => each.title === test.title);
    return result?.state !== "passed" && !isLikelyFault(result);
  });
  const failedIds = failed.map((test) => test.id);
  const findings = [...expectationFindings(assembly, failedIds), ...likelyFindings(assembly, modules)];
  if (answer.kind === "solution") {
    const onceMs = tests.reduce((sum, test) => sum + test.durationMs, 0) / repetitions;
    if (onceMs > slowMs)
      findings.push(
        warning(where, `its tests take ${Math.round(onceMs)} ms; a learner waits that long each time`),
      );
    return findings;
  }
  for (const { title } of failed) {
    const first = tests.find((each) => each.title === title)?.errors[0];
    if (first?.detail !== undefined) continue;
    findings.push(
      error(where, `fails "${title}" by accident, not by check(): ${first?.message ?? "it did not run"}`),
    );
  }
  return findings;
}

/** Whether an answer failed what it should, and nothing else. */
function expectationFindings(assembly: Assembly, failed: readonly string[]): Finding[] {
  const { answer, exercise } = assembly;
  const where = whereOf(assembly);
  const list = (ids: readonly string[]) => ids.join(", ");
  const expected = expectedFailures(assembly);
  const survived = expected.filter((id) => !failed.includes(id));
  const extra = failed.filter((id) => !expected.includes(id));
  const findings: Finding[] = [];
  switch (answer.kind) {
    case "starter":
      if (survived.length > 0) findings.push(error(where, `passes what should be red: ${list(survived)}`));
      if (extra.length > 0) findings.push(error(where, `fails guards, which it should pass: ${list(extra)}`));
      return findings;
    case "solution":
    case "workspace":
      if (extra.length > 0) findings.push(error(where, `fails in ${repetitions} runs: ${list(extra)}`));
      return findings;
    case "right":
      if (extra.length > 0) findings.push(error(where, `is right, and is refused by: ${list(extra)}`));
      return findings;
    case "wrong":
      if (failed.length === 0) findings.push(error(where, "survives: no test fails"));
      else if (survived.length > 0)
        findings.push(error(where, `passes what it should fail: ${list(survived)}`));
      if (extra.length > 0) findings.push(error(where, `fails more than "fails" names: ${list(extra)}`));
      return findings;
    default:
      throw new Error(`Cannot judge ${exercise.spec.id}`, { cause: answer satisfies never });
  }
}

function expectedFailures({ answer, exercise }: Assembly): string[] {
  if (answer.kind === "wrong") return answer.wrong.fails;
  if (answer.kind !== "starter") return [];
  return exercise.spec.tests.filter((test) => test.kind === "red").map((test) => test.id);
}

function nameFindings(exercise: Exercise, tests: readonly TestResult[], where: string): Finding[] {
  const ran = tests.map((test) => test.title);
  const named = exercise.spec.tests.map((test) => test.title);
  if (ran.join("\n") === named.join("\n")) return [];
  const unknown = ran.filter((title) => !named.includes(title));
  const missing = named.filter((title) => !ran.includes(title));
  if (unknown.length === 0 && missing.length === 0) {
    return [
      error(`exercises/${exercise.spec.id}/exercise.json`, "its tests stand in another order than in test/"),
    ];
  }
  return [
    ...unknown.map((title) =>
      error(`exercises/${exercise.spec.id}/exercise.json`, `does not name the test "${title}"`),
    ),
    ...missing.map((title) => error(where, `does not run the test "${title}"`)),
  ];
}

function whereOf({ answer, exercise }: Assembly): string {
  const base = answer.kind === "starter" ? "exercises" : "solutions";
  const name = answerName(answer);
  return `${base}/${exercise.spec.id}${name === "solution" ? "" : `/${name}`}`;
}

function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [`${finding.where} ${finding.what}`, finding])).values()];
}
