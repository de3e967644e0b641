// `npm run exercise run`, on a planted exercise that is laid over m1: what it says, and that it begins again with what is saved.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pc from "picocolors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../shared/testkit/eventually.ts";
import { type Exercise, loadExercise } from "./exercise/exercise-spec.ts";
import { clampSource, plantExercise, plantExerciseTree } from "./exercise/planted-exercise.ts";
import { proveRuns } from "./exercise/run-proof.ts";
import { serveExercise } from "./exercise/serve.ts";
import { openWorkspace } from "./exercise/workspace.ts";

const id = "m1/01-clamp";
const right = clampSource("return Math.max(0, Math.min(limit, value));");
let tree: ReturnType<typeof plantExerciseTree>;
let exercise: Exercise;
let said = "";

beforeEach(() => {
  tree = plantExerciseTree();
  said = "";
  plantExercise(tree, id, {
    spec: { overlay: { stage: "m1", files: { "clamp.ts": "exercise-clamp.ts" } } },
    files: { "exercises/{id}/run.ts": stepsThatExpect("10") },
  });
  exercise = loadExercise(tree.root, id);
  openWorkspace(exercise);
});
afterEach(() => tree[Symbol.dispose]());

function stepsThatExpect(text: string): string {
  return `import { clamp } from "./starter/clamp.ts";
export const steps = [
  {
    title: "a request",
    why: "The stage serves.",
    run: (demo) => demo.ask({ key: "acme", expect: { status: 200, routedTo: "tier1" } }),
  },
  {
    title: "a value above the limit",
    why: "It became the limit.",
    run: async (demo) => demo.check(clamp(12, 10) === ${text} ? undefined : "12 stayed 12"),
  },
];
`;
}

function serve(demoOnly: boolean): Promise<number> {
  const context = { root: tree.root, colours: pc.createColors(false), nowIso: () => "2032-01-01T00:00:00Z" };
  const write = (text: string) => {
    said += text;
  };
  return serveExercise(context, exercise, { port: 0, routers: 1, demoOnly, write });
}

test("says whether the tests pass, takes every step, and is red with the starter", async () => {
  expect(await serve(true)).toBe(1);
  expect(said).toMatch(
    /^Tests: 1 of 3 pass; the first that fails: a value above the limit becomes the limit\n/,
  );
  expect(said).toContain("Serving m1 with your files laid over it: exercise-clamp.ts\n");
  expect(said).toMatch(/1\/2 a request\n.*\n {2}< 200[^\n]*\n {4}The stage serves\.\n/);
  expect(said).toMatch(/2\/2 a value above the limit\n {2}✗ 12 stayed 12\n/);
  expect(said).toMatch(/✗ 1 of 2 steps did not go as promised\.\n$/);
}, 60_000);

test("says a syntax error in a sentence, and starts nothing", async () => {
  writeFileSync(join(exercise.workspace, "clamp.ts"), clampSource("return value +;"));
  expect(await serve(true)).toBe(1);
  expect(said).toMatch(/^Your code cannot be loaded: workspace\/m1\/01-clamp\/clamp\.ts:3: [^\n]*\n$/);
}, 60_000);

test("begins again with what is saved, until it is told to stop", async () => {
  const ended = serve(false);
  await eventually(() => said.includes("The stack stays up"), {
    what: "the first round",
    deadlineMs: 40_000,
  });
  writeFileSync(join(exercise.workspace, "clamp.ts"), right);
  const again = "You saved a file: starting again with it.";
  const isGreen = () => said.slice(said.indexOf(again)).includes("✓ Every step went as promised.");
  await eventually(() => said.includes(again) && isGreen(), { what: "the second round", deadlineMs: 40_000 });
  process.emit("SIGTERM");
  expect(await ended).toBe(0);
}, 100_000);

test("steps that are green with the starter, or red with the solution, are faults", async () => {
  writeFileSync(join(exercise.folder, "run.ts"), stepsThatExpect("12"));
  expect((await proveRuns([exercise])).map(({ what }) => what)).toEqual([
    "is as promised with the starter: it shows nothing",
    "with the solution: 12 stayed 12",
  ]);
}, 100_000);
