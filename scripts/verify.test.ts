// Every check of `npm run verify` that can be planted wrong turns red on a small tree with that fault, and is green
// without it.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Check, loadChecks } from "./check.ts";
import { linkPackages, type PlantedTree, plantTree } from "./planted-tree.ts";
import { runNode, runProgramFile } from "./run-tool.ts";
import { projectRoot } from "./stages.ts";
import { check as diffBudget } from "./verify/diff-budget.ts";
import { check as fileSizes } from "./verify/file-sizes.ts";
import { check as fileTables } from "./verify/file-tables.ts";
import { check as imports } from "./verify/imports.ts";
import { check as isolation } from "./verify/isolation.ts";
import { check as lint } from "./verify/lint.ts";
import { check as pageCommands } from "./verify/page-commands.ts";
import { check as trackedText } from "./verify/tracked-text.ts";
import { check as typecheck } from "./verify/typecheck.ts";

const settings = JSON.stringify({
  type: "module",
  scripts: { hello: "node scripts/hello.ts", gone: "node scripts/gone.ts" },
  dependencies: { zod: "*", ws: "*" },
  devDependencies: { vitest: "*" },
});

function plantStages(files: Readonly<Record<string, string>>): PlantedTree {
  return plantTree({ "package.json": settings, "stages/m1/src/main.ts": "export {};\n", ...files });
}

/** What a check finds, one `level where: what` a finding, with the first line of each. */
async function findings(check: Check, tree: PlantedTree): Promise<string[]> {
  const result = await check.run(tree.root);
  return result.findings.map(({ level, where, what }) => `${level} ${where}: ${what.split("\n")[0]}`);
}

describe("typecheck", () => {
  test("finds a type that does not fit, with its file and line", async () => {
    using tree = plantTree({ "scripts/a.ts": `const x: number = 1;\nexport const y: string = x;\n` });
    tree.copy("tsconfig.json");
    tree.copy("package.json");
    linkPackages(tree);
    expect(await findings(typecheck, tree)).toEqual([
      "error scripts/a.ts:2: error TS2322: Type 'number' is not assignable to type 'string'.",
    ]);
    tree.write("scripts/a.ts", "export const y: string = `a`;\n");
    expect(await findings(typecheck, tree)).toEqual([]);
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
    expect(await findings(lint, tree)).toEqual([
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
    const found = await findings(imports, tree);
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
    expect(await findings(imports, tree)).toEqual([]);
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
    expect(await findings(imports, tree)).toEqual([expect.stringContaining(words)]);
  });

  test("lets a decision have fields that are named like Node's globals", async () => {
    using tree = plantStages({
      "stages/m1/src/routing.ts": `import "zod";\nexport const a = { process: 1 };\nexport const b = a.process;\n`,
    });
    expect(await findings(imports, tree)).toEqual([]);
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
    const found = await findings(trackedText, tree);
    expect(found).toEqual([expect.stringContaining(`error ${file}:2: ${words}`)]);
  });

  test("looks at new files too, and not at ignored ones", async () => {
    using tree = await plantRepository({
      "a.md": "see scripts/work/a, https://example.org/work/x, /workshop\n",
    });
    expect(await findings(trackedText, tree)).toEqual([]);
    tree.write("ignored", `/t${"mp"}/x\n`);
    expect(await findings(trackedText, tree)).toEqual([]);
    tree.write("new.md", `/t${"mp"}/x\n`);
    expect(await findings(trackedText, tree)).toHaveLength(1);
  });
});

describe("file-sizes", () => {
  test("warns about a long file, and only warns", async () => {
    using tree = plantStages({
      "stages/m1/src/a.ts": "//\n".repeat(221),
      "stages/m1/src/b.ts": "//\n".repeat(220),
    });
    expect(await findings(fileSizes, tree)).toEqual([
      "warning stages/m1/src/a.ts: 221 lines; over 220 it is worth cutting in two",
    ]);
  });
});

describe("diff-budget", () => {
  const before = Array.from({ length: 100 }, (_, n) => `export const a${n} = ${n};\n`);

  test.each([
    ["m2", 10, false],
    ["m2", 11, true],
    ["m5", 60, false],
  ])("%s with %i of 100 lines removed is red: %s", async (to, removed, isRed) => {
    const from = to === "m5" ? "m4" : "m1";
    using tree = plantTree({
      [`stages/${from}/src/main.ts`]: before.join(""),
      [`stages/${to}/src/main.ts`]: before.slice(removed).join(""),
    });
    const found = await findings(diffBudget, tree);
    expect(found).toEqual(isRed ? [`error stages/m2: removes 11.0 % of m1 (11 lines); most of it in`] : []);
  });

  test("lets m5 rewrite the data path, but not a decision", async () => {
    using tree = plantTree({
      "stages/m4/src/main.ts": "1;\n",
      "stages/m5/src/main.ts": "2;\n",
      "stages/m4/src/circuit-breaker.ts": "1;\n",
      "stages/m5/src/circuit-breaker.ts": "2;\n",
    });
    expect(await findings(diffBudget, tree)).toEqual([
      "error stages/m5/src/circuit-breaker.ts: changed, but m5 takes m4's decisions over as they are",
    ]);
  });
});

describe("file-tables", () => {
  const readme = (...rows: string[]) =>
    ["# A stage", "", "| File | Change | Why |", "|---|---|---|", ...rows, ""].join("\n");
  const m1 = {
    "stages/m1/src/main.ts": "1;\n",
    "stages/m1/README.md": readme("| `main.ts` | new | wires |"),
  };
  const m2 = { ...m1, "stages/m2/src/main.ts": "2;\n", "stages/m2/src/admin.ts": "1;\n" };

  test.each([
    [[], "has no table with the columns File, Change, Why"],
    [["| `main.ts` | changed | wires more |"], "has no row for src/admin.ts, which is new"],
    [["| `main.ts`, `admin.ts` | new | both |"], "says that src/main.ts is new; it is changed"],
    [["| `main.ts` | changed | |", "| `admin.ts` | new | asks |"], "gives no reason for src/main.ts"],
    [
      ["| `main.ts` | changed | w |", "| `admin.ts` | new | a |", "| `x.ts` | new | b |"],
      "names src/x.ts, which is in neither",
    ],
    [
      ["| `main.ts` | changed | w |", "| `admin.ts` | new | a |", "| `main.ts` | changed | b |"],
      "has 2 rows for src/main.ts",
    ],
  ])("finds in %j: %s", async (rows, words) => {
    using tree = plantTree({ ...m2, "stages/m2/README.md": readme(...rows) });
    expect(await findings(fileTables, tree)).toEqual(
      [`error stages/m2/README.md: ${words}`].map((text) => expect.stringContaining(text)),
    );
  });

  test("is green when every file that changed has its row and its reason", async () => {
    using tree = plantTree({
      ...m2,
      "stages/m2/README.md": readme(
        "| `main.ts` | changed | wires \\| more |",
        "| `src/admin.ts` | new | a |",
      ),
    });
    expect(await findings(fileTables, tree)).toEqual([]);
  });
});

describe("isolation", () => {
  async function plantStageWithTest(
    source: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<string[]> {
    using tree = plantTree({
      "stages/m1/src/main.ts": "export const answer = 42;\n",
      "stages/m1/test/main.test.ts": source,
      ...more,
    });
    for (const path of ["package.json", "tsconfig.json", "vitest.config.ts"]) tree.copy(path);
    const result = await isolation.run(tree.root);
    return result.findings.map(({ where, what }) => `${where} ${what}`);
  }
  const head = `import { expect, test } from "vitest";\nimport { answer } from "../src/main.ts";\n`;

  test("is green for a stage that stands alone with shared/", async () => {
    const source = `${head}import { six } from "../../../shared/six.ts";\ntest("a", () => expect(answer).toBe(six * 7));\n`;
    expect(await plantStageWithTest(source, { "shared/six.ts": "export const six = 6;\n" })).toEqual([]);
  });

  test("finds a stage that borrows from another one", async () => {
    const source = `${head}import { other } from "../../m2/src/other.ts";\ntest("a", () => expect(answer).toBe(other));\n`;
    const found = await plantStageWithTest(source, {
      "stages/m2/src/other.ts": "export const other = 42;\n",
    });
    expect(found).toEqual([
      expect.stringMatching(/^stages\/m1 does not type-check alone:[^]*\.\.\/\.\.\/m2\/src\/other\.ts/),
    ]);
  });

  test("finds a test that passes only with a file of the project", async () => {
    const source = `${head}import { existsSync } from "node:fs";\ntest("a", () => expect(existsSync("README.md"), String(answer)).toBe(true));\n`;
    const found = await plantStageWithTest(source, { "README.md": "here\n" });
    expect(found).toEqual([
      expect.stringMatching(/^stages\/m1 fails its tests alone:[^]*expected false to be true/),
    ]);
  });

  test("finds a stage without tests", async () => {
    using tree = plantTree({ "stages/m1/src/main.ts": "" });
    expect(await findings(isolation, tree)).toEqual(["error stages/m1: has no tests"]);
  });
});

describe("page-commands", () => {
  function plantPage(...lines: string[]): PlantedTree {
    return plantTree({
      "package.json": settings,
      "scripts/hello.ts": `console.log("hello on 127.0.0.1:" + (process.env["STAGE_PORT"] === "0" ? 4711 : 8080));\n`,
      "README.md": lines.join("\n"),
    });
  }

  test.each([
    [
      "an output that differs",
      ["```sh run", "npm run hello", "```", "", "```text", "good bye", "```"],
      "the output differs at line 1",
    ],
    ["a command that fails", ["```sh run", "exit 3", "```"], "ended with exit code 3 instead of 0:"],
    [
      "a command that should fail",
      ["```sh run exit=1", "true", "```"],
      "ended with exit code 0 instead of 1:",
    ],
    [
      "a failure in the middle",
      ["```sh run", "false", "true", "```"],
      "ended with exit code 1 instead of 0:",
    ],
    [
      "a script that is not there",
      ["Try `npm run nothing`."],
      "names npm run nothing, which package.json has not got",
    ],
    [
      "a script without its file",
      ["```sh", "npm run gone", "```"],
      "names npm run gone, but scripts/gone.ts does not exist",
    ],
    [
      "a path that is not there",
      ["```sh", "node stages/m1/src/main.ts", "```"],
      "names stages/m1/src/main.ts, which does not exist",
    ],
  ])("finds %s", async (_, lines, words) => {
    using tree = plantPage("# Page", ...lines);
    expect(await findings(pageCommands, tree)).toEqual([expect.stringContaining(words)]);
  });

  test.each([
    [
      "a port that differs",
      ["```sh run", "npm run hello", "```", "", "```text", "hello on 127.0.0.1:8080", "```"],
    ],
    ["lines left out", ["```sh run", "printf '1\\n2\\n3\\n'", "```", "```text", "…", "3", "```"]],
    ["a failure that is promised", ["```sh run exit=1", "exit 1", "```"]],
    ["a block that is only shown", ["```sh", "exit 3", "```", "", "```text", "whatever", "```"]],
  ])("lets pass %s", async (_, lines) => {
    using tree = plantPage("# Page", ...lines);
    expect(await findings(pageCommands, tree)).toEqual([]);
  });

  test("runs a block against a stack of its own and gives its addresses back as shown", async () => {
    using tree = plantPage(
      "```sh run with=m1",
      "curl -s -i -H 'X-Routing-Key: acme' http://127.0.0.1:8080/pay",
      "echo asked http://127.0.0.1:8080",
      "```",
      "",
      "```text",
      "HTTP/1.1 200 OK",
      "…",
      "X-Routed-To: tier1",
      "…",
      "asked http://127.0.0.1:8080",
      "```",
    );
    tree.copy("stages/m1");
    linkPackages(tree);
    const found = await findings(pageCommands, tree);
    expect(found.filter((text) => text.startsWith("error README.md"))).toEqual([]);
    tree.write(
      "README.md",
      readFileSync(join(tree.root, "README.md"), "utf8").replace("To: tier1", "To: tier2"),
    );
    expect(await findings(pageCommands, tree)).toContainEqual(
      expect.stringMatching(/^error README\.md:1: the output differs at line \d+$/),
    );
  });
});

describe("npm run verify", () => {
  const script = join(projectRoot, "scripts/verify.ts");
  const verify = (...args: string[]) => runNode(script, args, { cwd: projectRoot });

  test("names its checks in the order in which they run", async () => {
    const { code, output } = await verify("--list");
    const names = (await loadChecks(join(projectRoot, "scripts/verify"))).map((check) => check.name);
    expect(
      output
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual(names);
    expect(names[0]).toBe("typecheck");
    expect(code).toBe(0);
  });

  test("runs one check and ends with the count", async () => {
    const { code, output } = await verify("--only", "file-sizes");
    expect(output).toMatch(/^pass +file-sizes /m);
    expect(output.trim().split("\n").at(-1)).toBe("1 passed, 0 failed");
    expect(code).toBe(0);
  });

  test.each([
    [["--only", "nothing"], 'verify: unknown check "nothing": one of typecheck, '],
    [["imports"], 'verify: unknown word "imports": name a check with --only'],
    [["--all"], "verify: Unknown option '--all'"],
  ])("takes one line and exit code 1 for %j", async (args, words) => {
    const { code, output } = await verify(...args);
    expect(output).toContain(words);
    expect(output.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  });

  test("turns red with exit code 1, and 2 when a check cannot run", async () => {
    using tree = plantTree();
    for (const path of ["scripts", "package.json"]) tree.copy(path);
    linkPackages(tree);
    mkdirSync(join(tree.root, "stages"));
    const run = (...only: string[]) =>
      runNode(
        join(tree.root, "scripts/verify.ts"),
        only.flatMap((name) => ["--only", name]),
        { cwd: tree.root },
      );
    tree.write(
      "scripts/verify/planted.ts",
      plantedCheck(
        `return { findings: [{ level: "error", where: "a.ts:1", what: "is wrong" }], looked: "1 file" };`,
      ),
    );
    const red = await run("planted", "file-sizes");
    expect(red.output).toMatch(/^FAIL {3}planted .*\n +error a\.ts:1\n +is wrong\npass /m);
    expect(red.output.trim().split("\n").at(-1)).toBe("1 passed, 1 failed");
    expect(red.code).toBe(1);
    tree.write("scripts/verify/planted.ts", plantedCheck(`throw new Error("no such tool");`));
    const broken = await run("planted");
    expect(broken.output).toContain("BROKEN planted");
    expect(broken.output).toContain("no such tool");
    expect(broken.code).toBe(2);
  });

  function plantedCheck(body: string): string {
    return `export const check = { name: "planted", title: "Nothing is planted", order: 1, run: async () => { ${body} } };\n`;
  }
});
