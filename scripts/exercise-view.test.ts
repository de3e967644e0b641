// Golden transcripts: the exact words in which each kind of verdict reaches a learner. To accept new words after
// reading them: UPDATE_GOLDEN=1 npx vitest run scripts/exercise-view.test.ts

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pc from "picocolors";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkAnswer } from "./exercise/check-answer.ts";
import { loadExercise } from "./exercise/exercise-spec.ts";
import { exitCodeOf, verdictText } from "./exercise/failure-view.ts";
import { clampSource, plantExercise, plantTree } from "./exercise/planted-exercise.ts";
import { openWorkspace } from "./exercise/workspace.ts";
import { projectRoot } from "./stages.ts";

const tree = plantTree();
const id = "m1/01-clamp";

beforeAll(() => plantExercise(tree.root, id));
afterAll(() => tree.remove());

interface Case {
  readonly title: string;
  /** The body of the learner's `clamp`; undefined leaves the starter as it was given. */
  readonly body: string | undefined;
  readonly golden: string;
  readonly exitCode: 0 | 1;
  /** Ends code that does not come back. @default 8_000 */
  readonly stallMs?: number;
}

const right = "return Math.max(0, Math.min(limit, value));";
const cases: readonly Case[] = [
  { title: "the starter as it was given", body: undefined, golden: "starter", exitCode: 1 },
  {
    title: "a known misconception",
    body: "return Math.min(limit, value);",
    golden: "misconception",
    exitCode: 1,
  },
  {
    title: "a TODO",
    body: 'throw new Error("TODO m1/01: clamp " + value + limit);',
    golden: "todo",
    exitCode: 1,
  },
  { title: "an exception", body: "return [value, limit].at(2)!.valueOf();", golden: "threw", exitCode: 1 },
  {
    title: "what the code printed",
    body: 'console.log("got", value, limit); return value;',
    golden: "printed",
    exitCode: 1,
  },
  { title: "a syntax error", body: "return value +;", golden: "syntax-error", exitCode: 1 },
  {
    title: "a type error in code that fails",
    body: "return value + limit.length;",
    golden: "type-error-failing",
    exitCode: 1,
  },
  {
    title: "a type error in code that passes",
    body: `const n: string = 1; void n; ${right}`,
    golden: "type-error",
    exitCode: 1,
  },
  {
    title: "an import that does not exist",
    body: `${right}\n}\nimport "./nowhere.ts";\n{`,
    golden: "missing-import",
    exitCode: 1,
  },
  {
    title: "an endless loop",
    body: "for (;;) if (value > 1e9) return limit;",
    golden: "runaway",
    exitCode: 1,
    stallMs: 5_000,
  },
  {
    title: "an endless loop while loading",
    body: `${right}\n}\nfor (;;) {`,
    golden: "runaway-loading",
    exitCode: 1,
    stallMs: 5_000,
  },
  {
    title: "an error that nothing caught",
    body: `void Promise.reject(new Error("left behind")); ${right}`,
    golden: "uncaught",
    exitCode: 1,
  },
  { title: "the solution", body: right, golden: "passed", exitCode: 0 },
];

for (const { title, body, golden, exitCode, stallMs } of cases) {
  test(`says in fixed words: ${title}`, async () => {
    const exercise = loadExercise(tree.root, id);
    openWorkspace(exercise);
    const starter = readFileSync(join(exercise.folder, "starter", "clamp.ts"), "utf8");
    writeFileSync(join(exercise.workspace, "clamp.ts"), body === undefined ? starter : clampSource(body));
    const verdict = await checkAnswer(
      exercise,
      { kind: "workspace" },
      stallMs === undefined ? {} : { stallMs },
    );
    expectGolden(golden, verdictText(exercise, verdict, pc.createColors(false)));
    expect(exitCodeOf(verdict)).toBe(exitCode);
  }, 60_000);
}

function expectGolden(name: string, text: string): void {
  const file = join(projectRoot, "scripts", "exercise", "golden", `${name}.txt`);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, `${text}\n`);
  }
  expect(`${text}\n`).toBe(readFileSync(file, "utf8"));
}
