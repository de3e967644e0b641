// Holds HAProxy to the contracts of m1 and m4, writes what it finds to site/data/graduation-haproxy.json and into the README, and
// fails where the core differs in another way than `differences.ts` says. Takes about nine minutes, most of it waiting.
//
//   npx tsx graduation/haproxy/contract-results.ts
//   npx tsx graduation/haproxy/contract-results.ts --only m1
//   npx tsx graduation/haproxy/contract-results.ts --judge      what the last run found, by the differences as they are now
//
// Exit codes: 0 written, 1 HAProxy is not installed, 2 a difference has no cause or has gone, or a suite could not run.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BrokenPromiseError, runCommand, UsageError } from "../../scripts/command-line.ts";
import type { Report } from "../../scripts/contract/report.ts";
import { runNode } from "../../scripts/run-tool.ts";
import { projectRoot } from "../../scripts/stages.ts";
import { grades } from "../../shared/contract/grades.ts";
import { objectIn } from "../../shared/testkit/json-text.ts";
import { engineVersion, missingEngine } from "../topic.ts";
import { differences } from "./differences.ts";
import { type ContractRun, faultsOf, type JudgedContract, judged, withResults } from "./judgement.ts";

const usage = `Usage: npx tsx graduation/haproxy/contract-results.ts [flags]
  --only NAME  m1 or m4; the other one's results stay as they are
  --judge      run nothing; judge what the last run found
  --help       this text`;

const contracts = ["m1", "m4"] as const;
const file = join(projectRoot, "site", "data", "graduation-haproxy.json");
const readme = join(projectRoot, "graduation", "haproxy", "README.md");

async function runContract(contract: string): Promise<ContractRun> {
  const start = [process.execPath, join(projectRoot, "graduation", "haproxy", "router.ts")];
  const words = start.map((word) => JSON.stringify(word)).join(" ");
  const { code, output, stdout } = await runNode(
    join(projectRoot, "scripts", "contract.ts"),
    [contract, "--start", words, "--json"],
    { timeoutMs: 1_500_000 },
  );
  const report = objectIn(stdout) as Report | undefined;
  if ((code !== 0 && code !== 1) || report === undefined || report.notRun > 0)
    throw new BrokenPromiseError(`the suite of ${contract} could not run: ${output.slice(-2_000)}`);
  const failures = report.failures.map(({ title, grade }) => ({ title, grade }));
  return { contract, grades: report.grades, failures };
}

interface Results {
  readonly date: string;
  readonly haproxy: string;
  readonly runs: readonly JudgedContract[];
}

function lastResults(): Results | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Results;
  } catch {
    return undefined;
  }
}

function tell({ contract, grades: counts }: ContractRun): void {
  for (const grade of grades) {
    const { passed, failed } = counts[grade];
    console.log(`${contract} ${grade}: ${passed} hold, ${failed} broken`);
  }
}

await runCommand(
  {
    name: "contract-results",
    usage,
    options: { only: { type: "string" }, judge: { type: "boolean" } },
    flagsOnly: true,
  },
  async ({ only, judge }) => {
    const missing = missingEngine(["haproxy"]);
    if (missing !== undefined) throw new UsageError(missing);
    const wanted = judge === true ? [] : contracts.filter((name) => only === undefined || name === only);
    if (wanted.length === 0 && judge !== true) throw new UsageError(`--only takes m1 or m4; got "${only}"`);
    const last = lastResults();
    const found: ContractRun[] = (last?.runs ?? []).filter(
      ({ contract }) => !wanted.some((name) => name === contract),
    );
    for (const contract of wanted) {
      const run = await runContract(contract);
      tell(run);
      found.push(run);
    }
    const runs = found.map((run) => judged(run)).sort((a, b) => a.contract.localeCompare(b.contract));
    const date = (judge === true ? last?.date : undefined) ?? new Date().toISOString().slice(0, 10);
    const causes = differences.map(({ name, kind, words }) => ({ name, kind, words }));
    const results = { date, haproxy: engineVersion("haproxy"), runs, causes };
    writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
    writeFileSync(readme, withResults(readFileSync(readme, "utf8"), runs, date));
    const faults = runs.flatMap((run) => faultsOf(run));
    if (faults.length === 0) return 0;
    throw new BrokenPromiseError(
      `the core differs in another way than differences.ts says:\n${faults.join("\n")}`,
    );
  },
);
