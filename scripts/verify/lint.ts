// Format and lint, as Biome sees them with the project's rules.

import { type CheckResult, error } from "../check.ts";
import { packageFile, runNode } from "../run-tool.ts";

export const check = {
  name: "lint",
  title: "Biome finds no fault in format or code",
  order: 20,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const args = ["check", "--diagnostic-level=error", "--max-diagnostics=50", "."];
  const { code, output } = await runNode(packageFile("@biomejs/biome/bin/biome"), args, { cwd: root });
  const looked = /Checked (\d+) files?/.exec(output)?.[1] ?? "no";
  const findings = code === 0 ? [] : [error("biome.json", output.trim())];
  return { findings, looked: `${looked} files` };
}
