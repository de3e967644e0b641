// Each stage stands alone, and keeps every promise of the earlier ones: copied with shared/ into an empty folder, it
// type-checks, and its tests and the contracts of all earlier stages pass. What a stage borrows from another one, or from
// the rest of the project, is missing there.

import { existsSync, mkdtempDisposableSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pMap from "p-map";
import { type CheckResult, error, type Finding } from "../check.ts";
import { lastLines, packageFile, runCompiler, runNode } from "../run-tool.ts";
import { copyStageAlone } from "../stage-alone.ts";
import { type Milestone, presentStages } from "../stages.ts";

export const check = {
  name: "isolation",
  title: "Each stage, copied alone, type-checks and passes its tests and all earlier contracts",
  order: 70,
  run,
};

async function run(root: string, only?: Milestone): Promise<CheckResult> {
  const stages = presentStages(root).filter((stage) => only === undefined || stage === only);
  // Two at a time: a contract's last cases wait for time limits, and leave the processors to somebody else.
  const findings = await pMap(stages.toReversed(), (stage) => checkStage(stage, root), { concurrency: 2 });
  return { findings: findings.flat(), looked: stages.join(", ") };
}

async function checkStage(stage: Milestone, root: string): Promise<Finding[]> {
  const where = `stages/${stage}`;
  if (!existsSync(join(root, where, "test"))) return [error(where, "has no tests")];
  using temporary = mkdtempDisposableSync(join(tmpdir(), `cell-routing-${stage}-`));
  const folder = realpathSync(temporary.path);
  copyStageAlone(stage, root, folder);
  const types = await runCompiler(folder);
  if (types.code !== 0) return [error(where, `does not type-check alone:\n${types.output.trim()}`)];
  const arguments_ = ["run", "--project", stage, "--maxWorkers", "3", "--exclude", runByNpmTest(stage)];
  const tests = await runNode(packageFile("vitest/vitest.mjs"), arguments_, {
    cwd: folder,
    env: { EVERY_CONTRACT: "1" },
  });
  if (tests.code !== 0) return [error(where, `fails its tests alone:\n${lastLines(tests.output, 60)}`)];
  return [];
}

/**
 * The contract that `npm test` holds the stage to, and that has just passed there in full. Those of m3 and m4 have not:
 * `npm test` leaves their longest cases out.
 */
function runByNpmTest(stage: Milestone): string {
  if (stage === "m3" || stage === "m4") return "nothing";
  return `**/contract-${stage === "m5" ? "m1" : stage}.test.ts`;
}
