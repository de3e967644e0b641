// The tests of the tools that take too long for `npm test`: `scripts/**/*.slow.test.ts`. Those of a stage run where the
// stage is copied alone.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, error } from "../check.ts";
import { lastLines, packageFile, runNode } from "../run-tool.ts";

export const check = {
  name: "slow-tests",
  title: "The tools pass the tests that take too long for npm test",
  order: 68,
  run,
};

async function run(root: string): Promise<CheckResult> {
  if (!existsSync(join(root, "vitest.config.ts"))) return { findings: [], looked: "no tests" };
  // Three at a time: each starts processes of its own, and more of them make deadlines pass on two processors.
  const words = ["run", "--project", "scripts", "--passWithNoTests", "--maxWorkers", "3", ".slow.test.ts"];
  const { code, output } = await runNode(packageFile("vitest/vitest.mjs"), words, {
    cwd: root,
    env: { EVERY_CONTRACT: "1" },
  });
  const [, looked = "no tests"] = /Tests +(.+)/.exec(output) ?? [];
  if (code === 0) return { findings: [], looked };
  return { findings: [error("scripts", `fails its slow tests:\n${lastLines(output, 60)}`)], looked };
}
