// A later stage keeps every promise of the earlier ones. `npm test` holds each stage to its own contract; this holds it to
// all the others that it has a test for.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, error } from "../check.ts";
import { lastLines, packageFile, runNode } from "../run-tool.ts";
import { milestones, presentStages } from "../stages.ts";

export const check = {
  name: "contracts",
  title: "Each stage passes the contracts of all earlier ones",
  order: 72,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const files = presentStages(root).flatMap((stage) =>
    milestones
      .filter((contract) => contract !== ownContract(stage))
      .map((contract) => `stages/${stage}/test/contract-${contract}.test.ts`)
      .filter((file) => existsSync(join(root, file))),
  );
  if (files.length === 0) return { findings: [], looked: "no earlier contracts" };
  const { code, output } = await runNode(packageFile("vitest/vitest.mjs"), ["run", ...files], {
    cwd: root,
    env: { EVERY_CONTRACT: "1" },
  });
  const findings = code === 0 ? [] : [error("stages", `break a contract:\n${lastLines(output, 80)}`)];
  return { findings, looked: `${files.length} contract tests` };
}

/**
 * The one that `npm test` runs: m5 has none of its own, and its data path is held to the first. It leaves the longest case
 * of m4's out, so that contract is run here too.
 */
function ownContract(stage: string): string | undefined {
  if (stage === "m4") return undefined;
  return stage === "m5" ? "m1" : stage;
}
