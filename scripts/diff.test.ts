// `npm run diff`: the counts, the reasons, and the words for a wrong request.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readFileTable } from "./file-table.ts";
import { linkPackages, plantTree } from "./planted-tree.ts";
import { runNode } from "./run-tool.ts";
import { diffStages } from "./stage-diff.ts";

const table = (...rows: string[]) =>
  ["| File | Change | Why |", "|---|---|---|", ...rows, "", "more words"].join("\n");

const stages = {
  "stages/m1/src/main.ts": "one\ntwo\nthree\n",
  "stages/m1/src/old.ts": "gone\n",
  "stages/m1/src/same.ts": "same\n",
  "stages/m1/test/main.test.ts": "not part of the diff\n",
  "stages/m1/README.md": table("| `main.ts` | new | starts |"),
  "stages/m2/src/main.ts": "one\n2\nthree\nfour\n",
  "stages/m2/src/admin.ts": "a\nb\n",
  "stages/m2/src/same.ts": "same\n",
  "stages/m2/src/deep/part.ts": "p\n",
  "stages/m2/routing.json": "{}\n",
  "stages/m2/README.md": table(
    "| `main.ts` | changed | wires \\| more |",
    "| `old.ts` | removed | nobody asks |",
  ),
  "stages/m3/src/main.ts": "one\n2\nthree\nfour\nfive\n",
  "stages/m3/README.md": table("| `main.ts` | changed | wires most |"),
};

describe("diffStages", () => {
  test("counts lines by file, the source first, its folders after it, tests left out", () => {
    using tree = plantTree(stages);
    const diff = diffStages("m1", "m2", tree.root);
    const rows = diff.files.map(({ path, status, added, removed }) => [path, status, added, removed]);
    expect(rows).toEqual([
      ["src/admin.ts", "new", 2, 0],
      ["src/main.ts", "changed", 2, 1],
      ["src/old.ts", "removed", 0, 1],
      ["src/same.ts", "same", 0, 0],
      ["src/deep/part.ts", "new", 1, 0],
      ["routing.json", "new", 1, 0],
    ]);
    expect(diff).toMatchObject({ added: 6, removed: 2, linesBefore: 5 });
  });

  test("takes the reasons of every stage on the way, oldest first", () => {
    using tree = plantTree(stages);
    const reasonsOf = (from: "m1" | "m2", to: "m2" | "m3") =>
      diffStages(from, to, tree.root).files.find(({ path }) => path === "src/main.ts")?.reasons;
    expect(reasonsOf("m1", "m2")).toEqual([{ stage: "m2", why: "wires | more" }]);
    expect(reasonsOf("m1", "m3")).toEqual([
      { stage: "m2", why: "wires | more" },
      { stage: "m3", why: "wires most" },
    ]);
  });

  test("gives a patch that other tools can apply", () => {
    using tree = plantTree(stages);
    const files = diffStages("m1", "m2", tree.root).files;
    expect(files.find(({ path }) => path === "src/main.ts")?.patch).toBe(
      "--- m1/src/main.ts\n+++ m2/src/main.ts\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four\n",
    );
    expect(files.find(({ path }) => path === "src/admin.ts")?.patch).toMatch(
      /^--- \/dev\/null\n\+\+\+ m2\/src\/admin\.ts\n/,
    );
  });
});

describe("the file table", () => {
  test("reads several files in a row, padded cells, and paths outside of src", () => {
    const rows = readFileTable(
      table("| `a.ts`, `b/c.ts` | new     | both |", "| `routing.json`   | Same | |"),
    );
    expect(rows).toEqual([
      { path: "src/a.ts", change: "new", why: "both" },
      { path: "src/b/c.ts", change: "new", why: "both" },
      { path: "routing.json", change: "same", why: "" },
    ]);
  });

  test("is empty where there is none", () => {
    expect(readFileTable("| Limit | Value | Why |\n|---|---|---|\n| `a.ts` | new | x |\n")).toEqual([]);
  });
});

describe("npm run diff", () => {
  async function diff(...args: string[]) {
    return await diffOf(stages, ...args);
  }

  async function diffOf(files: Record<string, string>, ...args: string[]) {
    using tree = plantTree(files);
    for (const path of ["scripts", "package.json"]) tree.copy(path);
    linkPackages(tree);
    return await runNode(join(tree.root, "scripts/diff.ts"), args, { cwd: tree.root });
  }

  test("shows the table with reasons, and with --full the diff, in plain text for a pipe", async () => {
    const { code, output } = await diff("m1", "m2", "--full");
    expect(output).toBe(
      [
        "m1 -> m2: 3 new, 1 changed, 1 removed, 1 the same",
        "+6 -2 lines; 40.0 % of m1 removed (budget 10.0 %)",
        "",
        "  new        +2    -0  src/admin.ts",
        "  changed    +2    -1  src/main.ts       wires | more",
        "  removed    +0    -1  src/old.ts        nobody asks",
        "  new        +1    -0  src/deep/part.ts",
        "  new        +1    -0  routing.json",
        "  the same: src/same.ts",
        "",
        "--- /dev/null",
        "+++ m2/src/admin.ts",
        "@@ -0,0 +1,2 @@",
        "+a",
        "+b",
        "",
        "--- m1/src/main.ts",
        "+++ m2/src/main.ts",
        "@@ -1,3 +1,4 @@",
        " one",
        "-two",
        "+2",
        " three",
        "+four",
        "",
        "--- m1/src/old.ts",
        "+++ /dev/null",
        "@@ -1,1 +0,0 @@",
        "-gone",
        "",
        "--- /dev/null",
        "+++ m2/src/deep/part.ts",
        "@@ -0,0 +1,1 @@",
        "+p",
        "",
        "--- /dev/null",
        "+++ m2/routing.json",
        "@@ -0,0 +1,1 @@",
        "+{}",
        "",
      ].join("\n"),
    );
    expect(code).toBe(0);
  });

  test("shows one part: its files with their diffs, and no other", async () => {
    const inParts = {
      ...stages,
      "stages/m2/README.md":
        "| File | Change | Part | Why |\n|---|---|---|---|\n" +
        "| `main.ts` | changed | workers | wires |\n| `admin.ts` | new | parser | asks |\n",
    };
    const parser = await diffOf(inParts, "m1", "m2", "--part", "parser");
    expect(parser.output).toContain("  new        +2    -0  src/admin.ts  asks\n");
    expect(parser.output).toContain("+++ m2/src/admin.ts\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    expect(parser.output).not.toContain("main.ts");
    const unknown = await diffOf(inParts, "m1", "m2", "--part", "kitchen");
    expect([unknown.code, unknown.output]).toEqual([
      1,
      'diff: there is no part "kitchen": m2 has parser, workers\n',
    ]);
    expect((await diff("m1", "m2", "--part", "parser")).output).toContain("m2 has no parts");
  });

  test("shows one file, the table alone, or JSON", async () => {
    const one = await diff("m1", "m3", "--file", "main.ts");
    expect(one.output).toContain("src/main.ts  m2: wires | more\n");
    expect(one.output).toContain("m3: wires most\n");
    expect(one.output).not.toContain("old.ts");
    const table = (await diff("m1", "m2")).output;
    expect(table).not.toContain("@@");
    expect(table).toContain("all of them: -- --full");
    expect(JSON.parse((await diff("m1", "m2", "--json")).output)).toMatchObject({
      from: "m1",
      added: 6,
      budget: { removedShare: 0.4, isWithin: false },
    });
  });

  test("says that a stage is not there yet, and which files there are", async () => {
    expect(await diff("m1", "m4")).toMatchObject({
      code: 1,
      output: "diff: stage m4 is not in this tree yet: one of m1, m2, m3\n",
    });
    const { output } = await diff("m1", "m2", "--file", "x.ts");
    expect(output).toContain('diff: neither m1 nor m2 has a file "x.ts": admin.ts, main.ts');
  });
});
