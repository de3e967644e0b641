// Golden transcripts: the exact words in which each kind of verdict reaches a learner. To accept new words after
// reading them: UPDATE_GOLDEN=1 npx vitest run scripts/exercise-view.slow.test.ts

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pc from "picocolors";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CheckFailure, check } from "../exercises/support/check.ts";
import { checkAnswer, checkTogether } from "./exercise/check-answer.ts";
import { type Exercise, loadExercise } from "./exercise/exercise-spec.ts";
import { exitCodeOf, verdictText } from "./exercise/failure-view.ts";
import { clampSource, plantExercise, plantExerciseTree } from "./exercise/planted-exercise.ts";
import type { Verdict } from "./exercise/verdict.ts";
import { openWorkspace } from "./exercise/workspace.ts";
import { projectRoot } from "./stages.ts";

interface Case {
  readonly title: string;
  /** The body of the learner's `clamp`; undefined leaves the starter as it was given. */
  readonly body: string | undefined;
  readonly golden: string;
  readonly exitCode: 0 | 1;
}

const right = "return Math.max(0, Math.min(limit, value));";
const cases: readonly Case[] = [
  {
    title: "an endless loop",
    body: "for (;;) if (value > 1e9) return limit;",
    golden: "runaway",
    exitCode: 1,
  },
  {
    title: "an endless loop while loading",
    body: `${right}\n}\nfor (;;) {`,
    golden: "runaway-loading",
    exitCode: 1,
  },
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
    title: "an error that nothing caught",
    body: `void Promise.reject(new Error("left behind")); ${right}`,
    golden: "uncaught",
    exitCode: 1,
  },
  { title: "the solution", body: right, golden: "passed", exitCode: 0 },
];

const tree = plantExerciseTree();
const verdicts = new Map<Case, Promise<Verdict>>();

/** What disturbs the others when it runs with them, or is disturbed: it ends the run, or the compiler looks at no types. */
const alone = new Set(["runaway", "runaway-loading", "syntax-error", "missing-import", "uncaught"]);

beforeAll(() => {
  const plantedCases = cases.map((each, index) => ({ each, exercise: plantCase(each, index) }));
  const together = plantedCases.filter(({ each }) => !alone.has(each.golden));
  const inOneRun = checkTogether(
    together.map(({ exercise }) => exercise),
    { kind: "workspace" },
  );
  for (const [index, { each }] of together.entries())
    verdicts.set(
      each,
      inOneRun.then((all) => all[index] ?? Promise.reject(new Error("no verdict"))),
    );
  for (const { each, exercise } of plantedCases.filter(({ each: { golden } }) => alone.has(golden))) {
    verdicts.set(each, checkAnswer(exercise, { kind: "workspace" }));
  }
});
afterAll(() => tree[Symbol.dispose]());

function idOf(index: number): string {
  return `m1/${String(index + 1).padStart(2, "0")}-clamp`;
}

/** Each in an exercise of its own, which says that it is m1/01-clamp. */
function plantCase({ body }: Case, index: number): Exercise {
  plantExercise(tree, idOf(index), { spec: { id: "m1/01-clamp" } });
  const exercise = loadExercise(tree.root, idOf(index));
  openWorkspace(exercise);
  if (body !== undefined) writeFileSync(join(exercise.workspace, "clamp.ts"), clampSource(body));
  return exercise;
}

for (const [index, each] of cases.entries()) {
  test(`says in fixed words: ${each.title}`, async () => {
    const verdict = await verdicts.get(each);
    if (verdict === undefined) throw new Error("no verdict");
    const exercise = loadExercise(tree.root, idOf(index));
    const text = verdictText(exercise, verdict, pc.createColors(false));
    expectGolden(
      each.golden,
      text.replaceAll(exercise.workspace, "").replace(/m1\/\d\d-clamp/g, "m1/01-clamp"),
    );
    expect(exitCodeOf(verdict)).toBe(each.exitCode);
  }, 60_000);
}

test("offers no misconception whose values differ, although the same tests fail", async () => {
  plantExercise(tree, "m1/20-clamp");
  const exercise = loadExercise(tree.root, "m1/20-clamp");
  openWorkspace(exercise);
  // Fails what lower-only.ts fails, "above", with another value.
  writeFileSync(
    join(exercise.workspace, "clamp.ts"),
    clampSource("return value > limit ? -7 : Math.max(0, value);"),
  );
  const verdict = await checkAnswer(exercise, { kind: "workspace" });
  expect(verdict).toMatchObject({ kind: "failed", failing: ["above"], misconceptions: [] });
}, 60_000);

test("says nothing of a likely cause where what came back is not what its author expected", async () => {
  const failure = await check<{ readonly words: string } | undefined>({
    sent: "",
    expected: { words: "a" },
    got: () => undefined,
    likely: (outcome) =>
      outcome.kind === "returned" ? (outcome.value as { words: string }).words.trim() : "",
    lookAt: "clamp.ts",
  }).catch((thrown: unknown) => thrown);
  expect((failure as CheckFailure).detail).toMatchObject({ got: "undefined", likely: undefined });
});

test("shows keys in the order that the test named, errors by name and code, and what a terminal hides", async () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const failure = await check<unknown>({
    sent: "a\tb",
    expected: { status: 502, code: "upstream-unreachable", cause: null },
    got: () => ({ cause: refused, zeal: 1, code: "x", status: 500 }),
    likely: (outcome) => (outcome.kind === "returned" ? "The status is that of another fault." : undefined),
    lookAt: "clamp.ts",
  }).catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(CheckFailure);
  const { detail } = failure as CheckFailure;
  expect(detail.got.replace(/\s+/g, " ")).toBe(
    "{ status: 500, code: 'x', cause: [Error, code 'ECONNREFUSED': connect ECONNREFUSED], zeal: 1 }",
  );
  expect(detail.likely).toBe("The status is that of another fault.");
  const first = { ...detail, id: "x", title: "a title", lookAt: undefined, thrownAt: undefined, printed: "" };
  const verdict: Verdict = {
    kind: "failed",
    passed: 0,
    total: 1,
    first,
    failing: ["x"],
    misconceptions: [],
    typeFaults: [],
  };
  plantExercise(tree, "m1/21-clamp");
  const text = verdictText(loadExercise(tree.root, "m1/21-clamp"), verdict, pc.createColors(false));
  expect(text).toContain("Sent      a\\tb\n");
});

test("says of what was thrown who threw it and with which code", async () => {
  const broken = Object.assign(new TypeError("no"), { code: "ERR_X" });
  const failure = await check({ sent: "", expected: 1, got: () => Promise.reject(broken), lookAt: "" }).catch(
    (thrown: unknown) => thrown,
  );
  expect((failure as CheckFailure).detail).toMatchObject({
    got: "threw TypeError, code 'ERR_X': no",
    likely: undefined,
  });
});

function expectGolden(name: string, text: string): void {
  const file = join(projectRoot, "scripts", "exercise", "golden", `${name}.txt`);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, `${text}\n`);
  }
  expect(`${text}\n`).toBe(readFileSync(file, "utf8"));
}
