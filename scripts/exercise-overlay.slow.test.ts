// Solutions laid over a stage: a stage of two files, planted with a contract of one test, so that each way of
// breaking it is seen. The real stages are looked at by `npm run verify`.

import { afterEach, beforeEach, expect, test } from "vitest";
import { loadExercise } from "./exercise/exercise-spec.ts";
import { proveOverlays } from "./exercise/overlay-proof.ts";
import { clampSource, plantExercise, plantExerciseTree } from "./exercise/planted-exercise.ts";

let tree: ReturnType<typeof plantExerciseTree>;

beforeEach(() => {
  tree = plantExerciseTree();
  tree.write("stages/m1/src/clamp.ts", clampSource("return Math.max(0, Math.min(limit, value));"));
  tree.write(
    "stages/m1/src/main.ts",
    'import { clamp } from "./clamp.ts";\nexport const answer: number = clamp(12, 10);\n',
  );
  tree.write(
    "stages/m1/test/contract-m1.test.ts",
    'import { expect, test } from "vitest";\nimport { answer } from "../src/main.ts";\ntest("answers", () => expect(answer).toBe(10));\n',
  );
  for (const name of ["package.json", "tsconfig.json", "vitest.config.ts"]) tree.copy(name);
});
afterEach(() => tree[Symbol.dispose]());

function plant(id: string, solution: string, stageFile = "clamp.ts") {
  plantExercise(tree, id, {
    spec: { overlay: { stage: "m1", files: { "clamp.ts": stageFile } } },
    files: { "solutions/{id}/clamp.ts": solution },
  });
  return loadExercise(tree.root, id);
}

const right = clampSource("return Math.min(limit, Math.max(0, value));");

test("finds nothing when the stage keeps its contract with the solution in it", async () => {
  expect(await proveOverlays(tree.root, [plant("m1/01-clamp", right)])).toEqual([]);
}, 60_000);

test("turns red when the stage breaks its contract, also when another solution for the same file is sound", async () => {
  const exercises = [
    plant("m1/01-sound", right),
    plant("m1/02-breaks", clampSource("return value + 0 * limit;")),
  ];
  expect(await proveOverlays(tree.root, exercises)).toEqual([
    {
      level: "error",
      where: "solutions/{m1/02-breaks} laid over stages/m1",
      what: expect.stringMatching(/^fails the contract:[\s\S]*expected 12 to be 10/),
    },
  ]);
}, 60_000);

test("turns red when the solution does not fit the stage's types", async () => {
  const misfit = "export function clamp(value: number): number {\n  return value;\n}\n";
  expect(await proveOverlays(tree.root, [plant("m1/01-misfit", misfit)])).toEqual([
    {
      level: "error",
      where: "solutions/{m1/01-misfit} laid over stages/m1",
      what: expect.stringMatching(/^does not type-check:[\s\S]*main\.ts\(2,/),
    },
  ]);
}, 60_000);
