// Plants one fault an exercise and looks for the words that the proof has for it. All of them stand in one tree, so
// that one run proves them; the first exercise is sound, and must stay without a finding.

import { afterAll, beforeAll, expect, test } from "vitest";
import { loadExercise } from "./exercise/exercise-spec.ts";
import {
  clampSource,
  type PlantedChange,
  plantExercise,
  plantExerciseTree,
} from "./exercise/planted-exercise.ts";
import { type ProofResult, proveExercises } from "./exercise/proof.ts";
import { staticFaults } from "./exercise/static-proof.ts";

const right = "return Math.max(0, Math.min(limit, value));";
const title = "a value inside the limits stays as it is";

const goneMutant = {
  file: "clamp.ts",
  line: "return 7;",
  mutant: "return 8;",
  because: "Nobody looks at the number.",
};

/** Changes of one file. */
const file = (path: string, text?: string): PlantedChange => ({ files: { [path]: text } });
const answer = (name: string, body: string) => file(`solutions/{id}/${name}`, clampSource(body));
const solution = (body: string) => answer("clamp.ts", body);
const starter = (body: string) => file("exercises/{id}/starter/clamp.ts", clampSource(body));
/** The sound exercise's test with another `likely`, in the words of an author. */
const testWithLikely = (likely: string) =>
  [
    'import { test } from "vitest";',
    'import { check } from "../../../support/check.ts";',
    'import { clamp } from "../starter/clamp.ts";',
    'const words = { sent: "clamp", lookAt: "clamp.ts",',
    likely,
    "};",
    `test("${title}", () => check({ ...words, expected: 3, got: () => clamp(3, 10) }));`,
    'test("a value above the limit becomes the limit", () =>',
    "  check({ ...words, expected: 10, got: () => clamp(12, 10) }));",
    'test("a value below zero becomes zero", () =>',
    "  check({ ...words, expected: 0, got: () => clamp(-1, 10) || 0 }));",
  ].join("\n");

/** Fault → how it is planted, and what the proof says. */
const planted: Record<string, { readonly change: PlantedChange; readonly says: RegExp }> = {
  "a starter that passes": {
    change: starter(right),
    says: /^exercises\/.*\/starter: passes what should be red: above, below$/,
  },
  "a starter that passes one red test": {
    change: starter("return Math.min(limit, value);"),
    says: /\/starter: passes what should be red: above$/,
  },
  "a starter that fails a guard": {
    change: starter("return value + limit;"),
    says: /\/starter: fails guards, which it should pass: inside$/,
  },
  "a starter that does not type-check": {
    change: starter('return value + limit + ("" as number);'),
    says: /\/starter, line 3: does not type-check: /,
  },
  "a test that fails by accident and not by check": {
    change: file(
      "exercises/{id}/test/clamp.test.ts",
      [
        'import { expect, test } from "vitest";',
        'import { clamp } from "../starter/clamp.ts";',
        `test("${title}", () => expect(clamp(3, 10)).toBe(3));`,
        'test("a value above the limit becomes the limit", () => expect(clamp(12, 10)).toBe(10));',
        'test("a value below zero becomes zero", () => expect(clamp(-1, 10) + 0).toBe(0));',
      ].join("\n"),
    ),
    says: /\/starter: fails "a value above the limit becomes the limit" by accident, not by check\(\)/,
  },
  "a wrong answer that survives": {
    change: answer("wrong/upper-only.ts", right),
    says: /\/wrong\/upper-only\.ts: survives: no test fails$/,
  },
  "a wrong answer that fails another test than named": {
    change: answer("wrong/lower-only.ts", "return Math.min(limit, value);"),
    says: /\/wrong\/lower-only\.ts: passes what it should fail: above$/,
  },
  "a wrong answer that fails more than named": {
    change: answer("wrong/always-zero.ts", "return value + limit;"),
    says: /\/wrong\/always-zero\.ts: fails more than "fails" names: below$/,
  },
  "a solution that fails": {
    change: solution("return Math.max(0, value) + 0 * limit;"),
    says: /^solutions\/[^:]*: fails in 20 runs: above$/,
  },
  "a solution that fails once in twenty": {
    change: {
      files: {
        "solutions/{id}/clamp.ts": `let calls = 0;\n${clampSource(
          "calls += 1; return calls === 19 ? value : Math.max(0, Math.min(limit, value));",
        )}`,
        "exercises/{id}/test/clamp.test.ts": undefined,
        "exercises/{id}/test/order.test.ts": [
          'import { test } from "vitest";',
          'import { check } from "../../../support/check.ts";',
          'import { clamp } from "../starter/clamp.ts";',
          'const words = { likely: "A limit.", lookAt: "clamp.ts", sent: "clamp" };',
          `test("${title}", () => check({ ...words, expected: 3, got: () => 3 }));`,
          'test("a value above the limit becomes the limit", () =>',
          "  check({ ...words, expected: 10, got: () => clamp(12, 10) }));",
          'test("a value below zero becomes zero", () => check({ ...words, expected: 0, got: () => Math.abs(clamp(-1, 0)) }));',
        ].join("\n"),
      },
    },
    says: /^solutions\/[^:]*: fails in 20 runs: above$/,
  },
  "a solution that leaves an error uncaught": {
    change: solution(`void Promise.reject(new Error("left behind")); ${right}`),
    says: /^solutions\/[^:]*: leaves an error uncaught: left behind$/,
  },
  "a right answer that is refused": {
    change: answer("right/two-ifs.ts", "return value > limit ? limit : value;"),
    says: /\/right\/two-ifs\.ts: is right, and is refused by: below$/,
  },
  "a likely cause that does not look at what came back": {
    change: file("exercises/{id}/test/clamp.test.ts", testWithLikely('likely: () => "A limit.",')),
    says: /^exercises\/[^:]*: "a value above the limit becomes the limit": likely does not look at what came back: A limit\.$/,
  },
  "a test that exercise.json does not name": {
    change: file(
      "exercises/{id}/test/more.test.ts",
      [
        'import { test } from "vitest";',
        'import "../starter/clamp.ts";',
        'test("one test more", () => {});',
      ].join("\n"),
    ),
    says: /exercise\.json: does not name the test "one test more"$/,
  },
};

/** The same for what can be said without running anything. */
const described: typeof planted = {
  "a right answer that nothing names": {
    change: answer("right/forgotten.ts", right),
    says: /right\/ has forgotten\.ts, which rightAnswers does not name$/,
  },
  "a promise without a test": {
    change: { spec: { doneWhen: [{ line: "something else", tests: ["inside", "above", "below"] }] } },
    says: /doneWhen does not name the README's line "it stays in"$/,
  },
  "a test without a promise": {
    change: { spec: { doneWhen: [{ line: "it stays in;", tests: ["inside", "above"] }] } },
    says: /test "below" holds no line of doneWhen/,
  },
  "an equivalent mutant of a line that is gone": {
    change: { spec: { equivalentMutants: [goneMutant] } },
    says: /equivalentMutants names a line that the solution's clamp\.ts has not got: return 7;$/,
  },
  "no promises with their tests": {
    change: { spec: { doneWhen: undefined } },
    says: /doneWhen is missing/,
  },
  "one right answer only": {
    change: {
      spec: { rightAnswers: [] },
      files: { "solutions/{id}/right/sorted.ts": undefined, "solutions/{id}/right/two-ifs.ts": undefined },
    },
    says: /there are 0 right answers; at least 2 are wanted$/,
  },
  "a likely cause that is one sentence for every failure": {
    change: file("exercises/{id}/test/clamp.test.ts", testWithLikely('likely: "A limit.",')),
    says: /\/test\/clamp\.test\.ts: line 5: likely is the same sentence whatever came back/,
  },
  "two hints": {
    change: file("exercises/{id}/hints.md", "# Hints\n\n## 1. Where?\n\nThere.\n\n## 2. What?\n\nThat.\n"),
    says: /\/hints\.md: there are 2 hints; at least 3 are wanted$/,
  },
  "a hint that is no question": {
    change: file(
      "exercises/{id}/hints.md",
      "## 1. Where?\n\nA.\n\n## 2. Look there.\n\nB.\n\n## 3. How?\n\nC.\n",
    ),
    says: /\/hints\.md: hint 2 is not a question$/,
  },
  "a README without its sections": {
    change: file("exercises/{id}/README.md", "# Title\n\n## The task\n\nDo it.\n"),
    says: /\/README\.md: its sections must be: The outage behind it, The task, Done when, Which file$/,
  },
  "no WHY.md": {
    change: file("solutions/{id}/WHY.md"),
    says: /\/WHY\.md: is missing or empty$/,
  },
  "two wrong answers only": {
    change: { spec: { wrongAnswers: [] } },
    says: /Cannot use .*wrongAnswers: /,
  },
  "a wrong answer that nothing names": {
    change: answer("wrong/forgotten.ts", "return 0;"),
    says: /wrong\/ has forgotten\.ts, which wrongAnswers does not name$/,
  },
  "a file that the starter has and the solution has not": {
    change: file("exercises/{id}/starter/more.ts", "export const more = 1;\n"),
    says: /starter\/ has more\.ts, which files does not name$/,
  },
  "an overlay that is not there": {
    change: { spec: { overlay: { stage: "m1", files: { "overlay/none.ts": "routing.ts" } } } },
    says: /overlay\.files names overlay\/none\.ts, which does not exist$/,
  },
  "an overlay without requests of its own": {
    change: { spec: { overlay: { stage: "m1", files: { "clamp.ts": "clamp.ts" } } } },
    says: /the overlay has no run\.ts/,
  },
};

const tree = plantExerciseTree();
const describedId = (index: number) => `m2/${String(index + 1).padStart(2, "0")}-described`;
let proof: ProofResult;

/** Faults of different answers share an exercise: each exercise costs a dozen test runs. */
const together: readonly (readonly string[])[] = [
  [
    "a starter that passes",
    "a wrong answer that survives",
    "a wrong answer that fails another test than named",
    "a wrong answer that fails more than named",
    "a solution that fails",
  ],
  [
    "a starter that passes one red test",
    "a solution that leaves an error uncaught",
    "a likely cause that does not look at what came back",
    "a right answer that is refused",
  ],
];
const groups = [
  ...together,
  ...Object.keys(planted)
    .filter((fault) => !together.flat().includes(fault))
    .map((fault) => [fault]),
];
const groupId = (index: number) => `m1/${String(index + 2).padStart(2, "0")}-planted`;
const idOf = (fault: string) => groupId(groups.findIndex((group) => group.includes(fault)));

beforeAll(async () => {
  plantExercise(tree, "m1/01-sound");
  for (const [index, group] of groups.entries()) {
    const changes = group.flatMap((fault) => planted[fault]?.change ?? []);
    const spec = Object.assign({}, ...changes.map((change) => change.spec));
    const files = Object.assign({}, ...changes.map((change) => change.files));
    plantExercise(tree, groupId(index), { spec, files });
  }
  proof = await proveExercises(tree.root, ["m1/01-sound", ...groups.map((_, index) => groupId(index))]);
}, 120_000);

afterAll(() => tree[Symbol.dispose]());

function findingsOf(id: string): string[] {
  return proof.findings
    .filter(({ where }) => where.includes(id))
    .map(({ where, what }) => `${where}: ${what}`);
}

test("finds nothing in a sound exercise", () => {
  expect(findingsOf("m1/01-sound")).toEqual([]);
  expect(proof.exercises.map((exercise) => exercise.spec.id)).toContain("m1/01-sound");
});

for (const [fault, { says }] of Object.entries(planted)) {
  test(`turns red for ${fault}`, () => {
    expect(findingsOf(idOf(fault))).toContainEqual(expect.stringMatching(says));
  });
}

for (const [index, [fault, { change, says }]] of Object.entries(described).entries()) {
  test(`turns red for ${fault}`, () => {
    const id = describedId(index);
    plantExercise(tree, id, change);
    expect(faultsIn(id)).toContainEqual(expect.stringMatching(says));
  });
}

test("lets a plain likely cause stand that its author vouches for", () => {
  const vouched = testWithLikely('// True of every failure: nothing else is returned.\nlikely: "A limit.",');
  const id = describedId(Object.keys(described).length);
  plantExercise(tree, id, { files: { "exercises/{id}/test/clamp.test.ts": vouched } });
  expect(faultsIn(id)).not.toContainEqual(expect.stringContaining("likely"));
});

function faultsIn(id: string): string[] {
  try {
    return staticFaults(loadExercise(tree.root, id), id).map(({ where, what }) => `${where}: ${what}`);
  } catch (thrown) {
    return [String(thrown)];
  }
}

test("names the starter that cannot be loaded", async () => {
  // In a tree of its own: with a syntax error somewhere, the compiler looks at no types anywhere.
  using other = plantExerciseTree();
  plantExercise(other, "m1/01-broken", starter("return (;"));
  const { findings } = await proveExercises(other.root);
  const words = findings.map(({ where, what }) => `${where}: ${what}`);
  expect(words).toContainEqual(
    expect.stringMatching(/\/starter, line 3: does not type-check: Expression expected/),
  );
  expect(words).toContainEqual(expect.stringMatching(/\/starter: cannot be loaded: /));
}, 60_000);

test("names the answer that never comes back", async () => {
  using other = plantExerciseTree();
  const endless = answer("wrong/upper-only.ts", "while (value > limit - 100) limit += 0; return value;");
  plantExercise(other, "m1/01-endless", endless);
  const { findings } = await proveExercises(other.root, undefined, { stallMs: 3_000 });
  expect(findings).toEqual([
    {
      level: "error",
      where: "solutions/m1/01-endless/wrong/upper-only.ts",
      what: `does not come back: ${title}`,
    },
  ]);
}, 60_000);
