// Holds a port to a contract of this repository, as `npm run contract` does, and hands back what became of the cases.

import type { Grade } from "../shared/contract/grades.ts";
import { objectIn } from "../shared/testkit/json-text.ts";
import type { Report } from "./contract/report.ts";
import type { PortedRouter } from "./ported-routers.ts";
import { runNode } from "./run-tool.ts";
import { type Milestone, projectRoot } from "./stages.ts";

export interface PortedRun {
  readonly port: string;
  /** `on`: as it is meant to run. `off`: clients and cells meet the engine itself. */
  readonly front: "on" | "off";
  readonly contract: string;
  readonly grades: Report["grades"];
  /** `message` is for whoever reads it now: it holds ports and times, so no saved result has it. */
  readonly failures: readonly { readonly title: string; readonly grade: Grade; readonly message?: string }[];
}

/** @throws Error when the suite could not run */
export async function runPortedContract(
  ported: PortedRouter,
  program: string,
  contract: Milestone,
  front: "on" | "off",
  root = projectRoot,
  env: Readonly<Record<string, string>> = {},
): Promise<PortedRun> {
  const args = [contract, "--start", JSON.stringify(program), "--json"];
  const { code, output, stdout } = await runNode(`${root}/scripts/contract.ts`, args, {
    cwd: root,
    env: { ...env, STAGE: contract, FRONT: front },
  });
  if (code !== 0 && code !== 1) throw new Error(output);
  const report = objectIn(stdout) as Report | undefined;
  if (report === undefined || report.notRun > 0) throw new Error(output);
  return { port: ported.name, front, contract, grades: report.grades, failures: report.failures };
}
