// A later stage keeps every promise of the earlier ones, and it is held to them by the very same tests: a contract's test
// is in each stage from its milestone on, byte for byte, and m5 changes no test that it takes over from m4.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, error, type Finding } from "../check.ts";
import { filesUnder, isAtLeast, type Milestone, milestones, presentStages, stageFolder } from "../stages.ts";

export const check = {
  name: "same-tests",
  title: "Later stages pass the contracts of earlier ones, unchanged",
  order: 66,
  fast: true,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const stages = presentStages(root);
  const shared = contractTests(stages, root);
  const findings: Finding[] = [];
  for (const { file, since } of shared) {
    for (const stage of stages.filter((each) => isAtLeast(each, since) && each !== since)) {
      const fault = faultOf(file, since, stage, root);
      if (fault !== undefined) findings.push(fault);
    }
  }
  if (stages.includes("m4") && stages.includes("m5")) findings.push(...rewriteFaults(root));
  return { findings, looked: `${shared.length} contract tests in ${stages.length} stages` };
}

/** m5 keeps m4's test of each module that it keeps; the tests of what it rewrote may go, and others may come. */
function rewriteFaults(root: string): Finding[] {
  return testsOf("m4", root)
    .filter((file) => !isContract(file))
    .filter((file) => existsSync(pathOf("m5", file, root)) || keepsModule(file, root))
    .flatMap((file) => faultOf(file, "m4", "m5", root) ?? []);
}

function keepsModule(test: string, root: string): boolean {
  const [before, after] = (["m4", "m5"] as const).map((stage) =>
    join(stageFolder(stage, root), "src", test.replace(".test.ts", ".ts")),
  );
  if (before === undefined || after === undefined || !existsSync(before) || !existsSync(after)) return false;
  return readFileSync(before).equals(readFileSync(after));
}

/** The test of each contract, as the stage has it that brought the contract. */
function contractTests(stages: readonly Milestone[], root: string): { file: string; since: Milestone }[] {
  return stages.flatMap((since) =>
    testsOf(since, root)
      .filter((file) => milestoneOf(file) === since)
      .map((file) => ({ file, since })),
  );
}

function faultOf(file: string, since: Milestone, stage: Milestone, root: string): Finding | undefined {
  const where = `stages/${stage}/test/${file}`;
  if (!existsSync(pathOf(stage, file, root))) return error(where, `is missing; ${since} brought it`);
  const isSame = readFileSync(pathOf(stage, file, root)).equals(readFileSync(pathOf(since, file, root)));
  return isSame ? undefined : error(where, `differs from stages/${since}/test/${file}`);
}

function isContract(file: string): boolean {
  return milestoneOf(file) !== undefined;
}

function milestoneOf(file: string): Milestone | undefined {
  const name = /^contract-(m\d)\.test\.ts$/.exec(file)?.[1];
  return milestones.find((milestone) => milestone === name);
}

function testsOf(stage: Milestone, root: string): string[] {
  return filesUnder(join(stageFolder(stage, root), "test")).filter((file) => file.endsWith(".test.ts"));
}

function pathOf(stage: Milestone, file: string, root: string): string {
  return join(stageFolder(stage, root), "test", file);
}
