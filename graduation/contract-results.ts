// What an engine's `contract-results.ts` does whatever the engine is: holds its router to the contracts of m1 and m4, and keeps
// what it found in site/data.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BrokenPromiseError, UsageError } from "../scripts/command-line.ts";
import type { Report } from "../scripts/contract/report.ts";
import { runNode } from "../scripts/run-tool.ts";
import { projectRoot } from "../scripts/stages.ts";
import { type Grade, grades } from "../shared/contract/grades.ts";
import { objectIn } from "../shared/testkit/json-text.ts";
import { engineVersion, missingEngine } from "./topic.ts";

export type JudgedEngine = "haproxy" | "nginx";

export interface ContractRun {
  readonly contract: string;
  readonly grades: Report["grades"];
  readonly failures: readonly { readonly title: string; readonly grade: Grade }[];
}

export interface JudgedContract extends ContractRun {
  readonly failures: readonly {
    readonly title: string;
    readonly grade: Grade;
    /** Name of the cause that explains it; null where none does. */
    readonly cause: string | null;
  }[];
}

/** What site/data holds of earlier runs. */
interface SavedResults {
  readonly date: string;
  readonly runs: readonly JudgedContract[];
}

/** The contracts that `--only` asks for. @throws UsageError when that is none, or the engine is not installed */
export function wantedContracts(engine: JudgedEngine, only: string | undefined): readonly string[] {
  const missing = missingEngine([engine]);
  if (missing !== undefined) throw new UsageError(missing);
  const wanted = ["m1", "m4"].filter((name) => only === undefined || name === only);
  if (wanted.length === 0) throw new UsageError(`--only takes m1 or m4; got "${only}"`);
  return wanted;
}

/**
 * Runs the suites against `program`, tells the counts, and returns them beside the earlier runs of the others, in order.
 *
 * @param program In the engine's folder; started like a stage's router.
 */
export async function runContracts(
  engine: JudgedEngine,
  program: string,
  wanted: readonly string[],
): Promise<readonly ContractRun[]> {
  const runs: ContractRun[] = savedResults(engine).runs.filter(({ contract }) => !wanted.includes(contract));
  for (const contract of wanted) {
    const run = await runContract(contract, join(projectRoot, "graduation", engine, program));
    runs.push(run);
    for (const grade of grades) {
      const { passed, failed } = run.grades[grade];
      console.log(`${contract} ${grade}: ${passed} hold, ${failed} broken`);
    }
  }
  return runs.sort((a, b) => a.contract.localeCompare(b.contract));
}

async function runContract(contract: string, program: string): Promise<ContractRun> {
  const words = [process.execPath, program].map((word) => JSON.stringify(word)).join(" ");
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

/** The runs with the name of each failure's cause. */
export function withCauses(
  { failures, ...run }: ContractRun,
  causeOf: (title: string) => { readonly name: string } | undefined,
): JudgedContract {
  const named = failures.map(({ title, grade }) => ({ title, grade, cause: causeOf(title)?.name ?? null }));
  return { ...run, failures: named };
}

export function savedResults(engine: JudgedEngine): SavedResults {
  return JSON.parse(readFileSync(fileOf(engine), "utf8")) as SavedResults;
}

export function saveResults(engine: JudgedEngine, results: SavedResults, causes: readonly object[]): void {
  const { date, runs } = results;
  const content = { date, [engine]: engineVersion(engine), runs, causes };
  writeFileSync(fileOf(engine), `${JSON.stringify(content, null, 2)}\n`);
}

export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function fileOf(engine: JudgedEngine): string {
  return join(projectRoot, "site", "data", `graduation-${engine}.json`);
}
