// What the page does with an exercise, without a page: which exercises run there, how modules find each other, what is kept.

import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { answerFiles, gatherAnswers, gatherExercise } from "../../scripts/docs/exercise-bundle.ts";
import { sceneEndings } from "../../scripts/docs/exercise-scenes.ts";
import { NodeWorker } from "../../scripts/docs/node-worker.ts";
import { listExerciseIds, loadExercise } from "../../scripts/exercise/exercise-spec.ts";
import { pageRoot } from "./bundle.ts";
import { keepExercise, parseKept, readKept, type Shelf, shelfKey, shelfOf } from "./kept-work.ts";
import { Linker } from "./linker.ts";
import { PageCheck } from "./page-check.ts";
import { scenarioFor } from "./scene-spec.ts";
import { sceneOf } from "./scenes.ts";
import { stripTypes } from "./strip-types.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");
const exercise = (id: string) => loadExercise(root, id);

describe("which exercises run in the page", () => {
  test("one that computes does, with its tests and without its answer among the modules", () => {
    const gathered = gatherExercise(exercise("m1/01-route-lookup"));
    if (!gathered.runs) throw new Error(gathered.because);
    const paths = Object.keys(gathered.bundle.modules);
    expect(paths).toContain("exercises/m1/01-route-lookup/test/route.test.ts");
    expect(paths).not.toContain("exercises/m1/01-route-lookup/starter/route.ts");
  });

  test("one that needs sockets does not, and the reason names what it imports", () => {
    const gathered = gatherExercise(exercise("m1/05-aborts"));
    expect(gathered).toMatchObject({ runs: false, because: expect.stringContaining("imports `node:") });
  });
});

describe("a verdict of the page", () => {
  test("names the misconception of a wrong answer whose tests show the same values", async () => {
    const spec = exercise("m1/01-route-lookup");
    const gathered = gatherExercise(spec);
    if (!gathered.runs) throw new Error(gathered.because);
    const [wrong] = spec.spec.wrongAnswers;
    if (wrong === undefined) throw new Error("no wrong answer");
    const check = new PageCheck(gathered.bundle, async () => gatherAnswers(spec), NodeWorker.make);
    const verdict = await check.check(answerFiles(spec, { kind: "wrong", wrong }));
    check.close();
    expect(verdict).toMatchObject({ kind: "failed", failing: wrong.fails });
    expect(verdict.kind === "failed" && verdict.misconceptions).toContain(wrong.because);
  });

  test("says which line of a file cannot be read", async () => {
    const spec = exercise("m1/01-route-lookup");
    const gathered = gatherExercise(spec);
    if (!gathered.runs) throw new Error(gathered.because);
    const check = new PageCheck(gathered.bundle, async () => gatherAnswers(spec), NodeWorker.make);
    const verdict = await check.check({ "route.ts": "export function route(\n\n}" });
    check.close();
    expect(verdict).toMatchObject({
      kind: "unloadable",
      message: expect.stringMatching(/^SyntaxError: route\.ts:\d/),
    });
  });
});

describe("modules that are only text", () => {
  const world = (files: Readonly<Record<string, string>>, redirects: [string, string][] = []) =>
    new Linker({
      modules: new Map(Object.entries(files).map(([path, text]) => [path, stripTypes(text, path)])),
      externals: new Map(),
      redirects: new Map(redirects),
    });

  test("a file that is laid over another is loaded in its place", () => {
    const files = {
      "stage/a.ts": 'import { b } from "./b.ts"; export const a: string = b;',
      "stage/b.ts": 'export const b = "stage";',
      "mine/b.ts": 'export const b = "mine";',
    };
    expect(world(files).load("stage/a.ts")["a"]).toBe("stage");
    expect(world(files, [["stage/b.ts", "mine/b.ts"]]).load("stage/a.ts")["a"]).toBe("mine");
  });

  test("a stack names the file and the line that the learner sees", () => {
    const files = {
      "a.ts": "interface X { y: number }\n\nexport const f = (x: X) => {\n  throw new Error('' + x.y);\n};",
    };
    const f = world(files).load("a.ts")["f"] as (x: object) => void;
    let stack = "";
    try {
      f({});
    } catch (error) {
      stack = (error as Error).stack ?? "";
    }
    expect(stack).toContain(`${pageRoot}/a.ts:4:`);
  });

  test("a file that is missing is named", () => {
    expect(() => world({ "a.ts": 'import { b } from "./b.ts"; export const a = b;' }).load("a.ts")).toThrow(
      "Cannot find b.ts",
    );
  });
});

describe("what the page keeps", () => {
  const shelf = (): Shelf & { readonly kept: Map<string, string> } => {
    const kept = new Map<string, string>();
    return {
      kept,
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, text) => void kept.set(key, text),
    };
  };

  test("one exercise is kept beside the others", () => {
    const mine = shelf();
    keepExercise(mine, "m1/01-a", { files: { "a.ts": "1" } });
    keepExercise(mine, "m1/02-b", { files: { "b.ts": "2" }, passedAt: "2026-01-01" });
    expect(Object.keys(readKept(mine).exercises)).toEqual(["m1/01-a", "m1/02-b"]);
  });

  test("what cannot be read is put aside", () => {
    const mine = shelf();
    mine.setItem(shelfKey, "{");
    expect(readKept(mine).exercises).toEqual({});
    expect(mine.kept.get(`${shelfKey}.unreadable`)).toBe("{");
  });

  test("a browser that keeps nothing is no fault: the page remembers until it is left", () => {
    const memory = shelfOf(() => {
      throw new Error("SecurityError");
    });
    keepExercise(memory, "m1/01-a", { files: { "a.ts": "1" } });
    expect(readKept(memory).exercises["m1/01-a"]?.files).toEqual({ "a.ts": "1" });
  });

  test("a file that is no work of this workbook is refused", () => {
    expect(parseKept('{"version":2,"exercises":{}}')).toBeUndefined();
    expect(parseKept("[]")).toBeUndefined();
    expect(parseKept('{"version":1,"exercises":{"a":{"files":{"x":1}}}}')?.exercises).toEqual({});
  });
});

const played = listExerciseIds(root).filter((id) => sceneOf(id) !== undefined);

test.each(played)("each scene of %s ends differently with the starter and with the solution", async (id) => {
  const scenarios = sceneOf(id)?.scenarios ?? [];
  const starter = await sceneEndings(exercise(id), { kind: "starter" }, scenarios);
  const solution = await sceneEndings(exercise(id), { kind: "solution" }, scenarios);
  expect(starter).toHaveLength(scenarios.length);
  const same = scenarios.filter((_, index) => starter[index] === solution[index]);
  expect(same.map(({ name }) => name)).toEqual([]);
});

test("each scenario beside the first names tests of its exercise, and no test has two", () => {
  for (const id of played) {
    const [first, ...others] = sceneOf(id)?.scenarios ?? [];
    const named = others.flatMap(({ tests }) => tests);
    const known = exercise(id).spec.tests.map((each) => each.id);
    expect(named.filter((each) => !known.includes(each))).toEqual([]);
    expect(new Set(named).size).toBe(named.length);
    expect(others.filter(({ tests }) => tests.length === 0)).toEqual([]);
    expect(first?.tests).toEqual([]);
  }
});

test("the test that fails first decides which scenario plays", () => {
  const scene = sceneOf("m4/06-concurrency-limit");
  if (scene === undefined) throw new Error("m4/06 has no scene");
  expect(scenarioFor(scene, []).name).toBe("clients leave");
  expect(scenarioFor(scene, ["thrown", "alone"]).name).toBe("refused connections");
  expect(scenarioFor(scene, ["alone", "thrown"]).name).toBe("clients leave");
});
