// The whole tree type-checks, tests and scripts included.

import { type CheckResult, error } from "../check.ts";
import { runCompiler } from "../run-tool.ts";

export const check = {
  name: "typecheck",
  title: "TypeScript finds no fault",
  order: 10,
  fast: true,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const { code, output } = await runCompiler(root);
  // One finding a file and line; the lines after it, indented, belong to it.
  const faults = output.split(/\n(?=\S)/).filter((text) => text.trim() !== "");
  const findings = faults.map((fault) => {
    const place = /^(.+?)\((\d+),\d+\): ([\s\S]*)$/.exec(fault.trimEnd());
    return place ? error(`${place[1]}:${place[2]}`, place[3] ?? "") : error("tsconfig.json", fault.trimEnd());
  });
  if (code !== 0 && findings.length === 0)
    findings.push(error("tsconfig.json", `tsc ended with exit code ${code}`));
  return { findings, looked: `${findings.length} faults` };
}
