// Proves that `npm run exercise run` tells a broken answer from a good one: with the starter in its stage at least one of
// the exercise's steps goes otherwise than promised, with the solution none does.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { error, type Finding } from "../check.ts";
import { runFile } from "./answer-source.ts";
import type { Exercise } from "./exercise-spec.ts";
import { loadSteps, startOverlaid, takeSteps } from "./run-steps.ts";
import { makeRunFolder } from "./test-run.ts";

/** A step on a machine that is busy may come too late once; twice is a fault. */
const attempts = 2;

export async function proveRuns(exercises: readonly Exercise[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const exercise of exercises) {
    if (!existsSync(runFile(exercise))) continue;
    const where = `exercises/${exercise.spec.id}/run.ts`;
    const starter = await brokenSteps(exercise, "starter");
    if (starter.length === 0)
      findings.push(error(where, "is as promised with the starter: it shows nothing"));
    let solution = await brokenSteps(exercise, "solution");
    for (let again = 1; solution.length > 0 && again < attempts; again++)
      solution = await brokenSteps(exercise, "solution");
    for (const words of solution) findings.push(error(where, `with the solution: ${words}`));
  }
  return findings;
}

/** What went otherwise than promised, in words. */
async function brokenSteps(exercise: Exercise, kind: "starter" | "solution"): Promise<string[]> {
  using folder = makeRunFolder(exercise.root);
  const name = `run-proof-${exercise.spec.id.replaceAll("/", "-")}-${process.pid}`;
  const broken: string[] = [];
  try {
    const steps = await loadSteps(exercise, { kind }, folder.path);
    const place = { port: 0, routers: 1, name, onLine: () => {} };
    await using stack = (await startOverlaid(exercise, { kind }, place)).stack;
    await takeSteps(steps, stack, (event) => {
      if (event.event === "fault") broken.push(event.text);
    });
  } catch (thrown) {
    broken.push(thrown instanceof Error ? thrown.message : String(thrown));
  } finally {
    for (const left of [name, `${name}-overlay`])
      rmSync(join(exercise.root, ".state", left), { recursive: true, force: true });
  }
  return broken;
}
