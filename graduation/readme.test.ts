import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tablesOf } from "../scripts/markdown.ts";
import { type JudgedEngine, savedResults } from "./contract-results.ts";

test("the README has as many broken cases of each engine as its saved results", () => {
  const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
  const row = tablesOf(readme)
    .flat()
    .find(([what]) => what === "cases of m1's core that break");
  const broken = (engine: JudgedEngine): string => {
    const core = savedResults(engine).runs.find(({ contract }) => contract === "m1")?.grades.core;
    return core === undefined ? "no results" : `${core.failed} of ${core.failed + core.passed}`;
  };
  expect(row?.slice(1, 3)).toEqual([broken("haproxy"), broken("nginx")]);
});
