import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tablesOf } from "../../../scripts/markdown.ts";
import { projectRoot } from "../../../scripts/stages.ts";
import { causeOf, causes } from "../causes.ts";

describe("the results of the contracts", () => {
  const file = join(projectRoot, "site", "data", "graduation-nginx.json");
  const { runs } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly runs: readonly {
      readonly contract: string;
      readonly grades: Readonly<Record<string, { readonly passed: number; readonly failed: number }>>;
      readonly failures: readonly { readonly title: string; readonly grade: string }[];
    }[];
  };
  const core = runs.flatMap(({ failures }) => failures).filter(({ grade }) => grade === "core");

  test("name a cause for every core case that is broken", () => {
    expect(core.filter(({ title }) => causeOf(title) === undefined)).toEqual([]);
  });

  test("stand in the README as they were measured", () => {
    const readme = readFileSync(join(projectRoot, "graduation", "nginx", "README.md"), "utf8");
    for (const { contract, grades } of runs) {
      const row = tablesOf(readme)
        .flat()
        .find(([name]) => name === contract);
      const counts = Object.values(grades).map(({ passed, failed }) =>
        passed + failed === 0 ? "none" : `${passed} of ${passed + failed}`,
      );
      expect(row).toEqual([contract, ...counts]);
    }
  });

  test("need every cause that is named", () => {
    const used = new Set(core.map(({ title }) => causeOf(title)?.name));
    expect(causes.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([]);
  });
});
