// Every exercise is proven by its answers: see scripts/exercise/proof.ts for what that means.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type CheckResult, error, type Finding } from "../check.ts";
import { exerciseJsonSchema } from "../exercise/exercise-spec.ts";
import { proveOverlays } from "../exercise/overlay-proof.ts";
import { proveExercises } from "../exercise/proof.ts";

export const check = {
  name: "exercises",
  title: "Starters fail, solutions pass 20 times, wrong answers fail what they should",
  order: 80,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const proof = await proveExercises(root);
  const findings = [
    ...schemaFindings(root),
    ...proof.findings,
    ...(await proveOverlays(root, proof.exercises)),
  ];
  return { findings, looked: `${proof.exercises.length} exercises, ${proof.answers} answers` };
}

/** The JSON Schema that editors use is the one that the engine applies. */
function schemaFindings(root: string): Finding[] {
  const file = "exercises/exercise.schema.json";
  const path = join(root, file);
  const written: unknown = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
  if (isDeepStrictEqual(written, exerciseJsonSchema())) return [];
  return [error(file, "does not match scripts/exercise/exercise-spec.ts: npm run schema writes it")];
}
