// How answers are kept: as patches that give the same text as the whole file did, that are written anew when the solution
// changes, and a solution that the stage has already.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, answerSource, variantsOf } from "./exercise/answer-source.ts";
import { type Exercise, loadExercise } from "./exercise/exercise-spec.ts";
import { plantExercise, plantExerciseTree } from "./exercise/planted-exercise.ts";
import { refreshExercise } from "./exercise/refresh.ts";
import { staticFaults } from "./exercise/static-proof.ts";

const id = "m1/01-clamp";
let tree: ReturnType<typeof plantExerciseTree>;

beforeEach(() => {
  tree = plantExerciseTree();
});
afterEach(() => tree[Symbol.dispose]());

/** Long enough that a patch is smaller than the file. */
function clampFile(body: string, zero = "0", imported = "../../../stages/m1/src/limits.ts"): string {
  return [
    `import { least } from "${imported}";`,
    ...Array.from({ length: 12 }, (_, index) => `// Line ${index} is the same in all of them.`),
    "export function clamp(value: number, limit: number): number {",
    `  const zero = ${zero};`,
    `  ${body}`,
    "  return least(limit, zero, value);",
    "}",
    "",
  ].join("\n");
}

function plant(solution: string): Exercise {
  tree.write("stages/m1/src/limits.ts", "export const least = Math.min;\n");
  const wrong = (name: string) =>
    clampFile(`value = ${name}(value);`, "0", "../../../../stages/m1/src/limits.ts");
  plantExercise(tree, id, {
    spec: { overlay: { stage: "m1", files: { "clamp.ts": "clamp.ts" } } },
    files: {
      "exercises/{id}/run.ts": "export const steps = [];\n",
      "exercises/{id}/starter/clamp.ts": clampFile("value += 1;", "0", "../../../../stages/m1/src/limits.ts"),
      "solutions/{id}/clamp.ts": solution,
      "solutions/{id}/wrong/upper-only.ts": wrong("Math.abs"),
      "solutions/{id}/wrong/lower-only.ts": wrong("Math.round"),
      "solutions/{id}/wrong/always-zero.ts":
        "export const clamp = (value: number, limit: number) => 0 * value * limit;\n",
    },
  });
  return loadExercise(tree.root, id);
}

function textOf(exercise: Exercise, file: string): string {
  const answer = variantsOf(exercise).find((each) => each.kind === "wrong" && each.wrong.file === file);
  return answerSource(exercise, answer as Answer, "clamp.ts").text;
}

test("a wrong answer becomes a patch that gives the same text, and one that shares nothing stays a file", async () => {
  const exercise = plant(clampFile("value = Math.max(zero, value);"));
  const { done, faults } = await refreshExercise(tree.root, id);
  expect(faults).toEqual([]);
  expect(done).toEqual(["wrong/upper-only.ts: is now a patch", "wrong/lower-only.ts: is now a patch"]);
  expect(existsSync(join(exercise.solution, "wrong", "upper-only.ts"))).toBe(false);
  expect(existsSync(join(exercise.solution, "wrong", "always-zero.ts"))).toBe(true);
  const patch = readFileSync(join(exercise.solution, "wrong", "upper-only.patch"), "utf8");
  expect(patch.split("\n").filter((line) => /^[-+]/.test(line))).toEqual([
    "--- clamp.ts",
    "+++ upper-only.ts",
    "-  value = Math.max(zero, value);",
    "+  value = Math.abs(value);",
  ]);
  expect(textOf(exercise, "upper-only.ts")).toBe(clampFile("value = Math.abs(value);"));
  expect(staticFaults(exercise, id)).toEqual([]);
  expect((await refreshExercise(tree.root, id)).done, "nothing is left to do").toEqual([]);
});

test("a patch that the solution has moved away from is a fault, and refresh fits it again", async () => {
  const exercise = plant(clampFile("value = Math.max(zero, value);"));
  const near = (text: string) => text.replace("Line 11 is", "Line 11 was");
  await refreshExercise(tree.root, id);
  tree.write(`solutions/${id}/clamp.ts`, near(clampFile("value = Math.max(zero, value);")));
  expect(staticFaults(exercise, id).map(({ what }) => what)).toContain(
    `solutions/${id}/wrong/upper-only.patch does not fit the solution any more: npm run exercise refresh ${id}`,
  );
  expect((await refreshExercise(tree.root, id)).done).toContain(
    "wrong/upper-only.ts: fits the solution again",
  );
  expect(textOf(exercise, "upper-only.ts")).toBe(near(clampFile("value = Math.abs(value);")));
  expect(staticFaults(exercise, id)).toEqual([]);
});

test("a patch of lines that the solution no longer has is lost, and said to be", async () => {
  plant(clampFile("value = Math.max(zero, value);"));
  await refreshExercise(tree.root, id);
  tree.write(`solutions/${id}/clamp.ts`, "export const clamp = Math.min;\n");
  expect((await refreshExercise(tree.root, id)).faults).toEqual([
    "wrong/upper-only.ts: its patch does not fit the solution any more; write the file again",
    "wrong/lower-only.ts: its patch does not fit the solution any more; write the file again",
  ]);
});

test("a solution that the stage has is taken from there, and a fix in the stage reaches it", async () => {
  tree.write("stages/m1/src/clamp.ts", clampFile("value = Math.max(zero, value);", "0", "./limits.ts"));
  plant(clampFile("value = Math.max(zero, value);"));
  const { done } = await refreshExercise(tree.root, id);
  expect(done).toContain("clamp.ts: is now taken from stages/m1/src/clamp.ts");
  const exercise = loadExercise(tree.root, id);
  expect(exercise.spec.from).toEqual({ "clamp.ts": "stages/m1/src/clamp.ts" });
  expect(existsSync(join(exercise.solution, "clamp.ts"))).toBe(false);
  expect(staticFaults(exercise, id)).toEqual([]);
  tree.write("stages/m1/src/clamp.ts", clampFile("value = Math.max(zero, value);", "-0", "./limits.ts"));
  const solution = answerSource(exercise, { kind: "solution" }, "clamp.ts").text;
  expect(solution).toBe(clampFile("value = Math.max(zero, value);", "-0"));
});
