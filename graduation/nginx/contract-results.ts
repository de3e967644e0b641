// Holds nginx to the contracts of m1 and m4, writes what it finds to site/data/graduation-nginx.json, and fails when a core case is
// broken for a reason that `causes.ts` does not name. Takes about twelve minutes, most of it waiting.
//
//   npx tsx graduation/nginx/contract-results.ts
//   npx tsx graduation/nginx/contract-results.ts --only m1
//
// Exit codes: 0 written, 1 nginx is not installed, 2 a core case is broken without a named cause, or a suite could not run.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BrokenPromiseError, runCommand, UsageError } from "../../scripts/command-line.ts";
import type { Report } from "../../scripts/contract/report.ts";
import { runNode } from "../../scripts/run-tool.ts";
import { projectRoot } from "../../scripts/stages.ts";
import { grades } from "../../shared/contract/grades.ts";
import { objectIn } from "../../shared/testkit/json-text.ts";
import { engineVersion, missingEngine } from "../topic.ts";
import { causeOf, causes } from "./causes.ts";

const usage = `Usage: npx tsx graduation/nginx/contract-results.ts [flags]
  --only NAME  m1 or m4; the other one's results stay as they are
  --help       this text`;

const file = join(projectRoot, "site", "data", "graduation-nginx.json");

export interface ContractRun {
  readonly contract: string;
  readonly grades: Report["grades"];
  readonly failures: readonly {
    readonly title: string;
    readonly grade: string;
    readonly cause: string | null;
  }[];
}

async function runContract(contract: string): Promise<ContractRun> {
  const start = [process.execPath, join(projectRoot, "graduation", "nginx", "main.ts")];
  const words = start.map((word) => JSON.stringify(word)).join(" ");
  const { code, output, stdout } = await runNode(
    join(projectRoot, "scripts", "contract.ts"),
    [contract, "--start", words, "--json"],
    { timeoutMs: 1_500_000 },
  );
  const report = objectIn(stdout) as Report | undefined;
  if ((code !== 0 && code !== 1) || report === undefined || report.notRun > 0)
    throw new BrokenPromiseError(`the suite of ${contract} could not run: ${output.slice(-2_000)}`);
  const failures = report.failures.map(({ title, grade }) => {
    return { title, grade, cause: causeOf(title)?.name ?? null };
  });
  return { contract, grades: report.grades, failures };
}

function earlierRuns(): readonly ContractRun[] {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { readonly runs: readonly ContractRun[] }).runs;
  } catch {
    return [];
  }
}

await runCommand(
  { name: "contract-results", usage, options: { only: { type: "string" } }, flagsOnly: true },
  async ({ only }) => {
    const missing = missingEngine(["nginx"]);
    if (missing !== undefined) throw new UsageError(missing);
    const wanted = ["m1", "m4"].filter((name) => only === undefined || name === only);
    if (wanted.length === 0) throw new UsageError(`--only takes m1 or m4; got "${only}"`);
    const runs = earlierRuns().filter(({ contract }) => !wanted.includes(contract));
    const found: ContractRun[] = [];
    for (const contract of wanted) {
      const run = await runContract(contract);
      found.push(run);
      for (const grade of grades) {
        const { passed, failed } = run.grades[grade];
        console.log(`${contract} ${grade}: ${passed} hold, ${failed} broken`);
      }
    }
    const all = [...runs, ...found].sort((a, b) => a.contract.localeCompare(b.contract));
    const date = new Date().toISOString().slice(0, 10);
    const told = causes.map(({ name, words }) => ({ name, words }));
    const result = { date, nginx: engineVersion("nginx"), runs: all, causes: told };
    writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
    const unexplained = found.flatMap(({ contract, failures }) =>
      failures
        .filter(({ grade, cause }) => grade === "core" && cause === null)
        .map(({ title }) => `${contract}: ${title}`),
    );
    if (unexplained.length === 0) return 0;
    throw new BrokenPromiseError(`core cases are broken without a named cause:\n${unexplained.join("\n")}`);
  },
);
