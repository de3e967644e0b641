// Each check turns red on a small tree with the fault that it is meant to find, and is green without it:
// those of npm run verify that compare or copy whole stages.

import { describe, expect, test } from "vitest";
import { findingsOf, plantTree } from "./planted-tree.ts";
import { check as diffBudget } from "./verify/diff-budget.ts";
import { check as fileTables } from "./verify/file-tables.ts";
import { check as isolation } from "./verify/isolation.ts";
import { check as sameTests } from "./verify/same-tests.ts";

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
    const found = await findingsOf(diffBudget, tree);
    expect(found).toEqual(isRed ? [`error stages/m2: removes 11.0 % of m1 (11 lines); most of it in`] : []);
  });

  test("lets m5 rewrite the data path, but not a decision", async () => {
    using tree = plantTree({
      "stages/m4/src/main.ts": "1;\n",
      "stages/m5/src/main.ts": "2;\n",
      "stages/m4/src/circuit-breaker.ts": "1;\n",
      "stages/m5/src/circuit-breaker.ts": "2;\n",
    });
    expect(await findingsOf(diffBudget, tree)).toEqual([
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
    expect(await findingsOf(fileTables, tree)).toEqual(
      [`error stages/m2/README.md: ${words}`].map((text) => expect.stringContaining(text)),
    );
  });

  test.each([
    [
      "| `main.ts` | changed | kitchen | w |",
      'puts src/main.ts into "kitchen"; the parts are parser, sockets',
    ],
    ["| `main.ts` | changed | | w |", 'puts src/main.ts into ""; the parts are'],
    [
      "| `main.ts` | changed | workers | w |\n| `http1/bytes.ts` | new | trim | b |",
      "puts src/http1/bytes.ts into trim; its folder is that of parser",
    ],
    ["| `main.ts` | changed | workers | w |\n| `http1/bytes.ts` | new | parser | b |", undefined],
  ])("holds each file to one part: %j", async (rows, words) => {
    const table = `| File | Change | Part | Why |\n|---|---|---|---|\n${rows}\n`;
    const bytes = rows.includes("http1") ? { "stages/m2/src/http1/bytes.ts": "3;\n" } : {};
    using tree = plantTree({
      ...m1,
      ...bytes,
      "stages/m2/src/main.ts": "2;\n",
      "stages/m2/README.md": table,
    });
    expect(await findingsOf(fileTables, tree)).toEqual(
      words === undefined ? [] : [expect.stringContaining(`error stages/m2/README.md: ${words}`)],
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
    expect(await findingsOf(fileTables, tree)).toEqual([]);
  });
});

describe("same-tests", () => {
  const stage = (name: string, tests: Readonly<Record<string, string>>) => ({
    [`stages/${name}/src/main.ts`]: "",
    ...Object.fromEntries(
      Object.entries(tests).map(([file, text]) => [`stages/${name}/test/${file}.test.ts`, text]),
    ),
  });
  const m1 = stage("m1", { "contract-m1": "one", routing: "a" });

  test.each([
    [
      "the same contract, other tests of its own",
      { "contract-m1": "one", "contract-m2": "two", routing: "b" },
      [],
    ],
    [
      "a contract that was changed",
      { "contract-m1": "1" },
      ["contract-m1.test.ts: differs from stages/m1/test/contract-m1.test.ts"],
    ],
    ["a contract that was left out", { routing: "a" }, ["contract-m1.test.ts: is missing; m1 brought it"]],
  ])("in m2: %s", async (_, tests, words) => {
    using tree = plantTree({ ...m1, ...stage("m2", tests) });
    expect(await findingsOf(sameTests, tree)).toEqual(words.map((text) => `error stages/m2/test/${text}`));
  });

  test("m5 changes no test that it takes over from m4", async () => {
    using tree = plantTree({
      ...stage("m4", { breaker: "a", upstreams: "b", failover: "c", bucket: "d" }),
      ...stage("m5", { breaker: "a", parser: "new", failover: "other" }),
      "stages/m4/src/bucket.ts": "kept",
      "stages/m5/src/bucket.ts": "kept",
      "stages/m4/src/upstreams.ts": "rewritten",
      "stages/m5/src/upstreams.ts": "otherwise",
    });
    expect(await findingsOf(sameTests, tree)).toEqual([
      "error stages/m5/test/bucket.test.ts: is missing; m4 brought it",
      "error stages/m5/test/failover.test.ts: differs from stages/m4/test/failover.test.ts",
    ]);
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
      expect.stringMatching(/^stages\/m1 does not type-check alone:[\s\S]*\.\.\/\.\.\/m2\/src\/other\.ts/),
    ]);
  });

  test("finds a test that passes only with a file of the project", async () => {
    const source = `${head}import { existsSync } from "node:fs";\ntest("a", () => expect(existsSync("README.md"), String(answer)).toBe(true));\n`;
    const found = await plantStageWithTest(source, { "README.md": "here\n" });
    expect(found).toEqual([
      expect.stringMatching(/^stages\/m1 fails its tests alone:[\s\S]*expected false to be true/),
    ]);
  });

  test("finds a stage without tests", async () => {
    using tree = plantTree({ "stages/m1/src/main.ts": "" });
    expect(await findingsOf(isolation, tree)).toEqual(["error stages/m1: has no tests"]);
  });
});
