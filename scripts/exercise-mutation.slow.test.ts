// The mutation proof, on one planted exercise: what no test notices is said, unless it is named as equivalent, and a
// name that fits nothing any more is said too.

import { afterAll, expect, test } from "vitest";
import { loadExercise } from "./exercise/exercise-spec.ts";
import { linesToMutate, mutateExercise } from "./exercise/mutation.ts";
import { clampSource, plantExercise, plantExerciseTree } from "./exercise/planted-exercise.ts";

const tree = plantExerciseTree();
afterAll(() => tree[Symbol.dispose]());

test("mutates the lines by which solution and starter differ, and those that are named", () => {
  const starter = ["a();", "b();", "c();", "d();"].join("\n");
  const solution = ["a();", "  b(1);", "b(2);", "c();", "  d();"].join("\n");
  expect(linesToMutate(starter, solution, [])).toEqual([2, 3, 5]);
  expect(linesToMutate(starter, solution, ["c();"])).toEqual([2, 3, 4, 5]);
  expect(linesToMutate(starter, starter, [])).toEqual([]);
});

test("says which mutants survive, accepts those that are named as equivalent, and finds names out of date", async () => {
  const because = "A value that equals its limit is the same on both sides.";
  const lower = { file: "clamp.ts", line: "return value < 0 ? 0 : value;", because };
  plantExercise(tree, "m1/01-clamp", {
    spec: {
      equivalentMutants: [
        { ...lower, mutant: "value <= 0" },
        { ...lower, mutant: "value >= 0" },
      ],
    },
    files: {
      "solutions/{id}/clamp.ts": clampSource(
        "if (value > limit) return limit;\n  return value < 0 ? 0 : value;",
      ),
    },
  });
  const result = await mutateExercise(loadExercise(tree.root, "m1/01-clamp"));
  expect(result.findings).toEqual([
    {
      level: "error",
      where: "solutions/m1/01-clamp/clamp.ts:3",
      what: "EqualityOperator survives, no test notices it:\n- value > limit\n+ value >= limit",
    },
    {
      level: "error",
      where: "exercises/m1/01-clamp/exercise.json",
      what: 'equivalentMutants is out of date: no mutant "value >= 0" survives in clamp.ts at: return value < 0 ? 0 : value;',
    },
  ]);
  expect(result).toMatchObject({ equivalent: 1, survivors: [{ line: 3, replacement: "value >= limit" }] });
  expect(result.mutants.length).toBeGreaterThan(5);
}, 60_000);
