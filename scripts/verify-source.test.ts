// Each check turns red on a small tree with the fault that it is meant to find, and is green without it:
// those of npm run verify that read single files.

import { describe, expect, test } from "vitest";
import { findingsOf, linkPackages, type PlantedTree, plantTree } from "./planted-tree.ts";
import { runProgramFile } from "./run-tool.ts";
import { check as fileSizes } from "./verify/file-sizes.ts";
import { check as imports } from "./verify/imports.ts";
import { check as lint } from "./verify/lint.ts";
import { check as trackedText } from "./verify/tracked-text.ts";
import { check as typecheck } from "./verify/typecheck.ts";

const settings = JSON.stringify({
  type: "module",
  dependencies: { zod: "*", ws: "*" },
  devDependencies: { vitest: "*" },
});

function plantStages(files: Readonly<Record<string, string>>): PlantedTree {
  return plantTree({ "package.json": settings, "stages/m1/src/main.ts": "export {};\n", ...files });
}

describe("typecheck", () => {
  test("finds a type that does not fit, with its file and line", async () => {
    using tree = plantTree({ "scripts/a.ts": `const x: number = 1;\nexport const y: string = x;\n` });
    tree.copy("tsconfig.json");
    tree.copy("package.json");
    linkPackages(tree);
    expect(await findingsOf(typecheck, tree)).toEqual([
      "error scripts/a.ts:2: error TS2322: Type 'number' is not assignable to type 'string'.",
    ]);
    tree.write("scripts/a.ts", "export const y: string = `a`;\n");
    expect(await findingsOf(typecheck, tree)).toEqual([]);
  });
});

describe("lint", () => {
  test("finds a file that is not formatted and a rule that is broken", async () => {
    using tree = plantTree({
      "a.ts": "export const   a = 1;\n",
      "b.ts": "export const b: any = 1;\n",
      "c.ts": "export const c = 1;\n",
      "biome.json": `{ "linter": { "rules": { "suspicious": { "noExplicitAny": "error" } } } }\n`,
    });
    expect(await findingsOf(lint, tree)).toEqual([
      "error a.ts: is not formatted; npm run format mends it",
      expect.stringMatching(/^error b\.ts:1: .*any.*lint\/suspicious\/noExplicitAny/),
    ]);
  });
});

describe("imports", () => {
  test.each([
    [
      "stages/m2/src/a.ts",
      `import "../../m1/src/main.ts";`,
      `imports "../../m1/src/main.ts": only stages/m2/src`,
    ],
    [
      "stages/m1/src/a.ts",
      `export * from "../../../shared/b.ts";`,
      "only stages/m1/src may be imported here",
    ],
    ["stages/m1/src/a.ts", `import type { B } from "../../../shared/b.ts";`, "only stages/m1/src"],
    ["stages/m1/src/a.ts", `type B = import("../../../shared/b.ts").B;`, "only stages/m1/src"],
    ["stages/m1/src/a.ts", `await import("../../../shared/b.ts");`, "only stages/m1/src"],
    ["stages/m1/src/a.ts", `const name = "./main.ts"; await import(name);`, "not among the dependencies"],
    ["stages/m1/src/a.ts", `import "vitest";`, "not among the dependencies of package.json"],
    ["stages/m1/src/a.ts", `import "undici/sub";`, "not among the dependencies of package.json"],
    ["stages/m1/src/a.ts", `import "fs";`, "write it as node:fs"],
    ["stages/m1/src/a.ts", `import "./b.js";`, "there is no such file"],
    ["stages/m1/src/a.ts", `import "./b`, "cannot be parsed"],
    ["stages/m2/test/a.test.ts", `import "../../m1/src/main.ts";`, "only stages/m2 and shared"],
    ["shared/a.ts", `import "../stages/m1/src/main.ts";`, "only shared may be imported here"],
  ])("finds in %s: %s", async (file, text, words) => {
    using tree = plantStages({ "shared/b.ts": "export type B = 1;\n", [file]: `${text}\n` });
    const found = await findingsOf(imports, tree);
    expect(found).toEqual([expect.stringContaining(`error ${file}`)]);
    expect(found[0]).toContain(words);
  });

  test.each([
    ["stages/m1/src/a.ts", `import "node:fs"; import "zod"; import "./main.ts"; import "./sub/b.ts";`],
    ["stages/m1/src/sub/c.ts", `import "../main.ts";`],
    ["stages/m1/src/a.ts", `// import "../../m2/src/main.ts"\nexport const text = 'import "../../x.ts"';`],
    ["stages/m1/test/a.test.ts", `import "vitest"; import "../src/main.ts"; import "../../../shared/b.ts";`],
  ])("finds nothing in %s: %s", async (file, text) => {
    using tree = plantStages({ "shared/b.ts": "", "stages/m1/src/sub/b.ts": "", [file]: `${text}\n` });
    expect(await findingsOf(imports, tree)).toEqual([]);
  });

  test.each([
    ["stages/m1/src/a.ts", "stages/m1/src/sub/b.ts", "./sub/b.ts", "../a.ts"],
    ["bench/a.ts", "bench/b.ts", "./b.ts", "./a.ts"],
    ["scripts/a.ts", "scripts/b.ts", "./b.ts", "./a.ts"],
  ])("finds the circle of %s and %s, though types only go round", async (first, second, there, back) => {
    using tree = plantStages({
      [first]: `import type { B } from "${there}";\nexport type A = B;\n`,
      [second]: `import type { A } from "${back}";\nexport type B = A;\n`,
    });
    expect(await findingsOf(imports, tree)).toEqual([
      `error ${first}: imports itself through ${second} and ${first}`,
    ]);
  });

  test("tells a circle once, wherever one comes into it, and lets two ways to one file be", async () => {
    using tree = plantStages({
      "stages/m1/src/a.ts": `import "./b.ts";\nimport "./c.ts";\n`,
      "stages/m1/src/b.ts": `import "./c.ts";\n`,
      "stages/m1/src/c.ts": `import "./d.ts";\n`,
      "stages/m1/src/d.ts": `import "./b.ts";\n`,
    });
    const b = "stages/m1/src/b.ts";
    expect(await findingsOf(imports, tree)).toEqual([
      `error ${b}: imports itself through stages/m1/src/c.ts and stages/m1/src/d.ts and ${b}`,
    ]);
  });

  test.each([
    ["http1/a.ts", "../sockets/b.ts", "only http1 may be imported here"],
    ["http1/a.ts", "../main.ts", "only http1 may be imported here"],
    ["sockets/a.ts", "../trim/c.ts", "only http1 and sockets may be imported here"],
  ])("keeps the rooms of m5 closed: %s may not import %s", async (file, specifier, words) => {
    using tree = plantStages({
      "stages/m5/src/main.ts": "",
      "stages/m5/src/sockets/b.ts": `import "../http1/d.ts";\nimport "node:net";\n`,
      "stages/m5/src/http1/d.ts": "",
      "stages/m5/src/trim/c.ts": `import "../sockets/b.ts";\n`,
      [`stages/m5/src/${file}`]: `import "${specifier}";\n`,
    });
    expect(await findingsOf(imports, tree)).toEqual([
      `error stages/m5/src/${file}:1: imports "${specifier}": ${words}`,
    ]);
  });

  test.each([
    [`import "node:crypto";`, 'routing.ts:1: imports "node:crypto"'],
    [`import "ws";`, 'routing.ts:1: imports "ws"'],
    [`export const now = () => process.hrtime();`, "routing.ts:1: uses process"],
    [`import "./deep.ts";`, "deep.ts:1: uses Buffer, which stages/m1/src/routing.ts imports"],
  ])("keeps Node out of what decides: %s", async (text, words) => {
    using tree = plantStages({
      "stages/m1/src/routing.ts": `${text}\n`,
      "stages/m1/src/deep.ts": `export const empty = Buffer.alloc(0);\n`,
    });
    expect(await findingsOf(imports, tree)).toEqual([expect.stringContaining(words)]);
  });

  test("lets a decision have fields that are named like Node's globals", async () => {
    using tree = plantStages({
      "stages/m1/src/routing.ts": `import "zod";\nexport const a = { process: 1 };\nexport const b = a.process;\n`,
    });
    expect(await findingsOf(imports, tree)).toEqual([]);
  });
});

describe("tracked-text", () => {
  async function plantRepository(files: Readonly<Record<string, string>>): Promise<PlantedTree> {
    const tree = plantTree({ ".gitignore": "ignored\n", ...files });
    await runProgramFile("git", ["init", "-q"], { cwd: tree.root });
    await runProgramFile("git", ["add", "."], { cwd: tree.root });
    return tree;
  }

  test.each([
    ["package-lock.json", `"resol${"ved"}": "https://example.org/a.tgz"`, "names a download address"],
    [
      "ci.yml",
      `run: npm ci --registry https://registry.npm${"js"}.org`,
      "names the host of a package registry",
    ],
    ["README.md", `run it in /ho${"me"}/someone/project`, "names a path of one machine"],
    ["a.ts", `const file = "/t${"mp"}/x.json";`, "names a path of one machine"],
  ])("finds in %s: %s", async (file, text, words) => {
    using tree = await plantRepository({ [file]: `first line\n${text}\n` });
    const found = await findingsOf(trackedText, tree);
    expect(found).toEqual([expect.stringContaining(`error ${file}:2: ${words}`)]);
  });

  test("looks at new files too, and not at ignored ones", async () => {
    using tree = await plantRepository({
      "a.md": "see scripts/work/a, https://example.org/work/x, /workshop\n",
    });
    expect(await findingsOf(trackedText, tree)).toEqual([]);
    tree.write("ignored", `/t${"mp"}/x\n`);
    expect(await findingsOf(trackedText, tree)).toEqual([]);
    tree.write("new.md", `/t${"mp"}/x\n`);
    expect(await findingsOf(trackedText, tree)).toHaveLength(1);
  });
});

describe("file-sizes", () => {
  test("warns about a long file, and only warns", async () => {
    using tree = plantStages({
      "stages/m1/src/a.ts": "//\n".repeat(221),
      "stages/m1/src/b.ts": "//\n".repeat(220),
    });
    expect(await findingsOf(fileSizes, tree)).toEqual([
      "warning stages/m1/src/a.ts: 221 lines; over 220 it is worth cutting in two",
    ]);
  });
});
