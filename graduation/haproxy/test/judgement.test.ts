import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectRoot } from "../../../scripts/stages.ts";
import type { ContractRun, JudgedContract } from "../../contract-results.ts";
import type { Difference } from "../difference.ts";
import { differences } from "../differences.ts";
import { faultsOf, judged, withResults } from "../judgement.ts";

const counts = { passed: 1, failed: 1 };
const named: readonly Difference[] = [
  { name: "known", kind: "engine", words: "It does.", m1: ["a > one"] },
  { name: "moody", kind: "choice", words: "It may.", m1: ["a > two"], sometimes: true },
];

function run(...titles: string[]): ContractRun {
  const failures = titles.map((title) => ({ title, grade: "core" as const }));
  return { contract: "m1", grades: { core: counts, form: counts, policy: counts }, failures };
}

const judge = (...titles: string[]) => faultsOf(judged(run(...titles), named), named);

describe("the judgement of a run", () => {
  test("agrees when each broken core case has its cause", () => {
    expect(judge("a > one")).toEqual([]);
    expect(judge("a > one", "a > two")).toEqual([]);
  });

  test("names a broken core case without a cause", () => {
    expect(judge("a > one", "a > new")).toEqual(['m1: no cause is named for "a > new"']);
  });

  test("names a cause whose case holds, unless that depends on timing", () => {
    expect(judge()).toEqual(['m1: a cause is named, and it holds: "a > one"']);
  });

  test("leaves form and policy without a cause", () => {
    const failures = [...run("a > one").failures, { title: "words", grade: "form" as const }];
    expect(faultsOf(judged({ ...run(), failures }, named), named)).toEqual([]);
  });
});

describe("the named differences", () => {
  const read = (...path: string[]) => readFileSync(join(projectRoot, ...path), "utf8");
  const last = JSON.parse(read("site", "data", "graduation-haproxy.json")) as {
    readonly date: string;
    readonly runs: readonly JudgedContract[];
  };

  test("explain what the last run found, and nothing else", () => {
    expect(last.runs.map(({ contract }) => contract)).toEqual(["m1", "m4"]);
    expect(last.runs.flatMap((each) => faultsOf(judged(each)))).toEqual([]);
  });

  test("stand in the README as the last run found them", () => {
    const readme = read("graduation", "haproxy", "README.md");
    const runs = last.runs.map((each) => judged(each));
    expect(withResults(readme, runs, last.date)).toBe(readme);
  });

  test("have names of their own, and no case twice", () => {
    const names = differences.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const cases = differences.flatMap(({ m1 = [], m4 = [] }) => [...m1, ...m4]);
    expect(new Set(cases).size).toBe(cases.length);
  });
});
