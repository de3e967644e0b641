// The parts of the exercise engine: names, copies, progress, overlays, and the interactive view with a hand on
// its keyboard. The failure view's words are in exercise-view.slow.test.ts, the proof in exercise-proof.slow.test.ts.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pc from "picocolors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Exercise, loadExercise, resolveExerciseId } from "./exercise/exercise-spec.ts";
import { InteractiveView } from "./exercise/interactive.ts";
import { buildMineOverlay, overlayFiles } from "./exercise/overlay.ts";
import {
  clampSource,
  type PlantedChange,
  plantExercise,
  plantExerciseTree,
} from "./exercise/planted-exercise.ts";
import { loadProgress, saveProgress, updateEntry } from "./exercise/progress.ts";
import { relocateImports } from "./exercise/relocate-imports.ts";
import type { Context } from "./exercise/verbs.ts";
import { openWorkspace, resetWorkspace, untouchedFiles } from "./exercise/workspace.ts";
import { wrap } from "./wrap.ts";

const now = "2026-01-02T03:04:05.678Z";
let tree: ReturnType<typeof plantExerciseTree>;

beforeEach(() => {
  tree = plantExerciseTree();
});
afterEach(() => tree[Symbol.dispose]());

function plant(id = "m1/01-clamp", change: PlantedChange = {}): Exercise {
  plantExercise(tree, id, change);
  return loadExercise(tree.root, id);
}

function read(...path: string[]): string {
  return readFileSync(join(tree.root, ...path), "utf8");
}

test("finds an exercise by whole id, number, folder or name, and asks when two fit", () => {
  const ids = ["m1/01-route-lookup", "m1/02-hop-by-hop", "m2/01-validation", "m3/02-hop-by-hop"];
  for (const wanted of [
    "m1/01-route-lookup",
    "m1/01",
    "01-route-lookup",
    "route-lookup",
    "exercises/m1/01-route-lookup/",
  ]) {
    expect(resolveExerciseId(ids, wanted)).toBe("m1/01-route-lookup");
  }
  expect(() => resolveExerciseId(ids, "hop-by-hop")).toThrow(
    'Which one is "hop-by-hop": m1/02-hop-by-hop, m3/02-hop-by-hop?',
  );
  expect(() => resolveExerciseId(ids, "m9")).toThrow('There is no exercise "m9"');
});

test("names every fault of a description with its path", () => {
  expect(() => plant("m1/01-clamp", { spec: { minutes: 0, files: [] } })).toThrow(
    /^Cannot use exercises\/m1\/01-clamp\/exercise\.json: minutes: .*; files: /,
  );
});

test("moves relative imports with a file, and leaves everything else as it is", () => {
  const source = [
    'import { a } from "./sibling.ts";',
    'import type { B } from "../../outside.ts"; // from "./not an import',
    'import "node:fs";',
    'const later = import("../lazy.ts");',
  ].join("\n");
  const moved = relocateImports(source, "/clone/deep/er/file.ts", "/clone/file.ts", (path) => path);
  expect(moved.split("\n")).toEqual([
    'import { a } from "./deep/er/sibling.ts";',
    'import type { B } from "./outside.ts"; // from "./not an import',
    'import "node:fs";',
    'const later = import("./deep/lazy.ts");',
  ]);
});

test("gives the learner a copy whose imports hold where it stands", () => {
  const starter = `import type { T } from "../../../../stages/m1/src/t.ts";\n${clampSource("return value + 0 * limit;")}`;
  const exercise = plant("m1/01-clamp", { files: { "exercises/{id}/starter/clamp.ts": starter } });
  expect(openWorkspace(exercise)).toEqual(["clamp.ts"]);
  expect(read("workspace/m1/01-clamp/clamp.ts")).toContain('from "../../../stages/m1/src/t.ts"');
  expect(untouchedFiles(exercise)).toEqual(["clamp.ts"]);
});

test("never overwrites what the learner has when an exercise is opened again", () => {
  const exercise = plant();
  openWorkspace(exercise);
  writeFileSync(join(exercise.workspace, "clamp.ts"), "mine");
  expect(openWorkspace(exercise)).toEqual([]);
  expect(read("workspace/m1/01-clamp/clamp.ts")).toBe("mine");
  expect(untouchedFiles(exercise)).toEqual([]);
});

test("archives before a reset, and keeps both when two resets fall into one tick", () => {
  const exercise = plant();
  openWorkspace(exercise);
  const archives = ["first", "second"].map((text) => {
    writeFileSync(join(exercise.workspace, "clamp.ts"), text);
    const archive = resetWorkspace(exercise, now);
    expect(untouchedFiles(exercise)).toEqual(["clamp.ts"]);
    return readFileSync(join(archive ?? "", "clamp.ts"), "utf8");
  });
  expect(archives).toEqual(["first", "second"]);
  expect(readdirSync(join(tree.root, "workspace/.archive/m1/01-clamp"))).toEqual([
    "2026-01-02T03-04-05-678Z",
    "2026-01-02T03-04-05-678Z-2",
  ]);
});

for (const [fault, text] of [
  ["is cut short", '{"version": 1, "exer'],
  ["is of a later version", '{"version": 2, "exercises": {}}'],
  ["is empty", ""],
] as const) {
  test(`keeps a progress file aside that ${fault}, and begins a new one`, async () => {
    mkdirSync(join(tree.root, "workspace"), { recursive: true });
    writeFileSync(join(tree.root, "workspace/progress.json"), text);
    const loaded = loadProgress(tree.root, now);
    expect(loaded).toMatchObject({ kind: "corrupt", progress: { version: 1, exercises: {} } });
    expect(read("workspace/progress.json.corrupt-2026-01-02T03-04-05-678Z")).toBe(text);
    await saveProgress(tree.root, updateEntry(loaded.progress, "m1/01-clamp", now, { hints: 2 }));
    expect(loadProgress(tree.root, now)).toMatchObject({
      kind: "loaded",
      progress: { exercises: { "m1/01-clamp": { openedAt: now, hints: 2 } } },
    });
  });
}

const withOverlay: PlantedChange = {
  spec: {
    overlay: { stage: "m1", files: { "clamp.ts": "exercise-clamp.ts", "overlay/limits.ts": "limits.ts" } },
  },
  files: {
    "exercises/{id}/overlay/limits.ts": [
      'import type { T } from "../../../../stages/m1/src/t.ts";',
      'import { clamp } from "../starter/clamp.ts";',
      "export const limits: T = clamp;",
    ].join("\n"),
  },
};

test("turns imports into those of the stage when files are laid over it", () => {
  const files = overlayFiles(plant("m1/01-clamp", withOverlay), { kind: "solution" });
  expect([...files.keys()]).toEqual(["exercise-clamp.ts", "limits.ts"]);
  expect(files.get("limits.ts")).toBe(
    'import type { T } from "./t.ts";\nimport { clamp } from "./exercise-clamp.ts";\nexport const limits: T = clamp;',
  );
});

test("refuses to lay a file over a stage that imports from outside of it", () => {
  const source = `import "../../../../shared/x.ts";\n${clampSource("return value + 0 * limit;")}`;
  const exercise = plant("m1/01-clamp", {
    ...withOverlay,
    files: { ...withOverlay.files, "exercises/{id}/starter/clamp.ts": source },
  });
  expect(() => overlayFiles(exercise, { kind: "starter" })).toThrow(
    "clamp.ts imports shared/x.ts: laid over m1, it can import that stage only",
  );
});

test("lays over a stage what the learner has opened for it, and nothing else", () => {
  plant("m1/02-not-opened", withOverlay);
  expect(buildMineOverlay(tree.root, "m1").exercises).toEqual([]);
  openWorkspace(plant("m1/01-clamp", withOverlay));
  const mine = buildMineOverlay(tree.root, "m1");
  expect(mine.exercises).toEqual(["m1/01-clamp"]);
  expect(readdirSync(mine.folder).sort()).toEqual(["exercise-clamp.ts", "limits.ts"]);
  expect(buildMineOverlay(tree.root, "m2").exercises).toEqual([]);
});

test("breaks lines at spaces, keeps indentation, and leaves a long word whole", () => {
  expect(wrap("one two three", 7)).toBe("one two\nthree");
  expect(wrap("  at unbreakable-word", 8)).toBe("  at\nunbreakable-word");
  expect(wrap("unbreakable-word", 8)).toBe("unbreakable-word");
});

test("the interactive view checks when a file changes, asks before it reveals, and goes on only when told", async () => {
  const exercise = plant("m1/01-clamp");
  plant("m1/02-other");
  const context: Context = { root: tree.root, colours: pc.createColors(false), nowIso: () => now };
  let shown = "";
  const said = () => {
    const text = shown;
    shown = "";
    return text;
  };
  const write = (text: string) => {
    shown += text;
  };
  const view = await InteractiveView.start(context, undefined, write, "<clear>");
  expect(said()).toMatch(
    /The outage behind it[\s\S]*✗ a value above the limit becomes the limit[\s\S]*press h/,
  );

  await view.poll();
  expect(said(), "nothing changed, nothing said").toBe("");

  writeFileSync(
    join(exercise.workspace, "clamp.ts"),
    clampSource("return Math.max(0, Math.min(limit, value));"),
  );
  await view.poll();
  expect(said()).toMatch(/✓ Done\. Every test passes\.[\s\S]*press s[\s\S]*press n/);
  await view.poll();
  expect(said(), "it does not go on by itself").toBe("");

  await view.key("h");
  expect(said()).toContain("Hint 1 of 3  Where?");
  await view.key("d");
  expect(said(), "it is solved: nothing is given away").toContain("clamp.ts: the same");
  await view.key("s");
  expect(said()).toContain("Both sides.");
  await view.key("l");
  expect(said()).toContain("1 of 2 done");
  await view.key("r");
  await view.key("y");
  expect(said()).toMatch(/Your files are in workspace\/\.archive\/[\s\S]*✗ a value above the limit/);
  await view.key("n");
  expect(said()).toMatch(
    /^<clear>\nFrom m1\/01-clamp to m1\/02-other: the next one[\s\S]*✗ a value above the limit/,
  );
  expect(existsSync(join(tree.root, "workspace/m1/02-other/clamp.ts"))).toBe(true);
  await view.key("d");
  expect(said()).toBe("\nShow the difference to the solution? [y/N] ");
  await view.key("x");
  expect(said()).toContain("Nothing was done.");
  await view.key("d");
  said();
  writeFileSync(join(tree.root, "workspace/m1/02-other/clamp.ts"), clampSource("return limit + value;"));
  await view.poll();
  expect(said(), "a verdict takes the screen, title first").toMatch(
    /<clear>\nm1\/02-other {2}Keep a value[^\n]*\n\n✗/,
  );
  await view.key("y");
  expect(said(), "the question ended with the save").toBe("");
  await view.key("t");
  expect(said()).toMatch(/^<clear>\nm1\/02-other[\s\S]*The outage behind it/);
  expect(await view.key("q")).toBe(false);

  rmSync(join(tree.root, "workspace/m1/02-other/clamp.ts"));
  const resumed = await InteractiveView.start(context, undefined, write, "<clear>");
  expect(said()).toMatch(/^<clear>\nclamp\.ts was gone from workspace\/m1\/02-other: [^\n]*\n\nm1\/02-other/);
  expect(await resumed.key("q")).toBe(false);
}, 60_000);
