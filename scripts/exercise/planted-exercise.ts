// A small exercise, written into a tree of its own, for the tests of the engine: sound as it stands, and broken in
// one place by each test that wants to see the proof turn red.

import { join } from "node:path";
import { type PlantedTree, plantTree } from "../planted-tree.ts";
import { projectRoot } from "../stages.ts";
import type { ExerciseSpec } from "./exercise-spec.ts";

/** Inside the clone, where packages are found. */
export function plantExerciseTree(): PlantedTree {
  const tree = plantTree({}, join(projectRoot, ".state", "planted exercises"));
  tree.copy("exercises/support");
  return tree;
}

export interface PlantedChange {
  readonly spec?: { readonly [Field in keyof ExerciseSpec]?: ExerciseSpec[Field] | undefined };
  /** Path from the root → text, or undefined to leave the file out. `{id}` stands for the exercise's id. */
  readonly files?: Readonly<Record<string, string | undefined>>;
}

/** Writes a sound exercise of that id, with the change made. */
export function plantExercise(tree: PlantedTree, id: string, change: PlantedChange = {}): void {
  const files = { ...soundFiles(), ...change.files };
  const spec = { ...soundSpec(id), ...change.spec };
  const all = { "exercises/{id}/exercise.json": JSON.stringify(spec), ...files };
  for (const [path, text] of Object.entries(all)) {
    if (text !== undefined) tree.write(path.replace("{id}", id), text);
  }
}

export function clampSource(body: string): string {
  return [
    "/** Brings a value into 0 … limit. */",
    "export function clamp(value: number, limit: number): number {",
    `  ${body}`,
    "}",
    "",
  ].join("\n");
}

function soundSpec(id: string): ExerciseSpec {
  return {
    id,
    title: "Keep a value within its limits",
    milestone: "m1",
    minutes: 5,
    files: ["clamp.ts"],
    siteAnchor: "m1#exercises",
    tests: [
      { id: "inside", title: "a value inside the limits stays as it is", kind: "guard" },
      { id: "above", title: "a value above the limit becomes the limit", kind: "red" },
      { id: "below", title: "a value below zero becomes zero", kind: "red" },
    ],
    wrongAnswers: [
      wrong("upper-only.ts", ["below"], "A limit above says nothing about what comes in below zero."),
      wrong("lower-only.ts", ["above"], "A floor at zero says nothing about what comes in above the limit."),
      wrong(
        "always-zero.ts",
        ["inside", "above"],
        "Refusing everything is no way of keeping within the limits.",
      ),
    ],
    rightAnswers: [right("two-ifs.ts"), right("sorted.ts")],
    doneWhen: [{ line: "it stays in", tests: ["inside", "above", "below"] }],
  };
}

function right(file: string) {
  return {
    file,
    replaces: "clamp.ts",
    because: "It says in other words what the solution says in two calls.",
  };
}

function wrong(file: string, fails: string[], because: string) {
  return { file, replaces: "clamp.ts", fails, because };
}

function soundFiles(): Record<string, string> {
  return {
    "exercises/{id}/README.md": [
      "# Keep a value within its limits",
      "## The outage behind it",
      "A number left its limits.",
      "## The task",
      "Keep it in.",
      "## Done when",
      "- it stays in",
      "## Which file",
      "`clamp.ts`",
    ].join("\n\n"),
    "exercises/{id}/hints.md":
      "# Hints\n\n## 1. Where?\n\nThere.\n\n## 2. What?\n\nThat.\n\n## 3. How?\n\nSo.\n",
    "exercises/{id}/starter/clamp.ts": clampSource("return value + 0 * limit;"),
    "exercises/{id}/test/clamp.test.ts": soundTest,
    "solutions/{id}/clamp.ts": clampSource("return Math.max(0, Math.min(limit, value));"),
    "solutions/{id}/WHY.md": "# Why\n\nBoth sides.\n",
    "solutions/{id}/right/two-ifs.ts": clampSource(
      "if (value < 0) return 0;\n  if (value > limit) return limit;\n  return value;",
    ),
    "solutions/{id}/right/sorted.ts": clampSource("return [0, value, limit].sort((a, b) => a - b)[1] ?? 0;"),
    "solutions/{id}/wrong/upper-only.ts": clampSource("return Math.min(limit, value);"),
    "solutions/{id}/wrong/lower-only.ts": clampSource("return Math.max(0, value) + 0 * limit;"),
    "solutions/{id}/wrong/always-zero.ts": clampSource("return 0 * value * limit;"),
  };
}

const soundTest = `import { test } from "vitest";
import { check, type Outcome } from "../../../support/check.ts";
import { clamp } from "../starter/clamp.ts";

const words = {
  likely: (came: Outcome<number>) => {
    if (came.kind !== "returned") return undefined;
    if (came.value === -1) return "The value below zero came back as it was.";
    return came.value === 12 ? "The value above the limit came back as it was." : undefined;
  },
  lookAt: "clamp.ts, clamp",
};

test("a value inside the limits stays as it is", async () => {
  await check({ ...words, sent: "clamp(3, 10)", expected: 3, got: () => clamp(3, 10) });
});

test("a value above the limit becomes the limit", async () => {
  await check({ ...words, sent: "clamp(12, 10)", expected: 10, got: () => clamp(12, 10), hint: 2 });
});

test("a value below zero becomes zero", async () => {
  await check({ ...words, sent: "clamp(-1, 10)", expected: 0, got: () => Math.abs(clamp(-1, 10)) === 0 ? 0 : clamp(-1, 10) });
});
`;
