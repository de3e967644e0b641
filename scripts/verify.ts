// The maintainers' proof: runs every check of scripts/verify/ and says what does not hold.
//
//   npm run verify                        all checks
//   npm run verify -- --only imports      one check (may be repeated)
//   npm run verify -- --fast              those that take seconds: types, style, imports, tables, diffs
//   npm run verify -- --only isolation --stage m3    one stage of a check that looks at each
//   npm run verify -- --list              the checks, without running them
//   npm run verify -- --json              one JSON line a check, and one at the end
//
// Exit codes: 0 all hold, 1 the tree has a fault or the name of a check is unknown, 2 a check could not run.
// A new check is a new file in scripts/verify/; see scripts/check.ts.

import { join } from "node:path";
import { type Check, type CheckResult, checkNames, loadChecks } from "./check.ts";
import { colours, runCommand, UsageError, type Values } from "./command-line.ts";
import { type Milestone, parseStage, projectRoot } from "./stages.ts";

const usage = `Usage: npm run verify [-- flags]
  --only NAME   run this check only; may be repeated
  --fast        run those that take seconds
  --stage NAME  look at this stage only, where a check looks at each
  --list        name the checks
  --json        one JSON line a check
  --help        this text`;

const options = {
  only: { type: "string", multiple: true },
  fast: { type: "boolean" },
  stage: { type: "string" },
  list: { type: "boolean" },
  json: { type: "boolean" },
} as const;

type Verdict = "passed" | "failed" | "broken";

interface Report extends CheckResult {
  readonly check: string;
  readonly verdict: Verdict;
  readonly seconds: number;
}

async function main(values: Values<typeof options>, words: readonly string[]): Promise<number> {
  if (words.length > 0) throw new UsageError(`unknown word "${words[0]}": name a check with --only`);
  const folder = join(projectRoot, "scripts", "verify");
  const stage = values.stage === undefined ? undefined : parseStage(values.stage);
  const loaded = await loadChecks(folder, chosen(checkNames(folder), values.only));
  const checks = values.fast === true ? loaded.filter(({ fast }) => fast === true) : loaded;
  if (checks.length === 0) throw new UsageError(`--fast leaves nothing of --only ${values.only?.join(", ")}`);
  const width = Math.max(...checks.map((check) => check.name.length));
  if (values.list === true) {
    for (const { name, title } of checks) console.log(`${name.padEnd(width)}  ${title}`);
    return 0;
  }
  const reports: Report[] = [];
  for (const check of checks) {
    const report = await runCheck(check, stage);
    reports.push(report);
    console.log(values.json === true ? JSON.stringify(report) : reportLines(report, check, width).join("\n"));
  }
  const passed = reports.filter((report) => report.verdict === "passed").length;
  const failed = reports.length - passed;
  console.log(
    values.json === true ? JSON.stringify({ passed, failed }) : `\n${passed} passed, ${failed} failed`,
  );
  if (failed === 0) return 0;
  return reports.some((report) => report.verdict === "broken") ? 2 : 1;
}

function chosen(names: string[], only: readonly string[] | undefined): string[] {
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown === undefined) return names.filter((name) => only?.includes(name) ?? true);
  throw new UsageError(`unknown check "${unknown}": one of ${names.join(", ")}`);
}

async function runCheck(check: Check, stage: Milestone | undefined): Promise<Report> {
  const startMs = performance.now();
  const seconds = () => Math.round((performance.now() - startMs) / 100) / 10;
  try {
    const result = await check.run(projectRoot, stage);
    const isRed = result.findings.some((finding) => finding.level === "error");
    return { check: check.name, verdict: isRed ? "failed" : "passed", seconds: seconds(), ...result };
  } catch (thrown) {
    const what = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    const finding = { level: "error", where: `scripts/verify/${check.name}.ts`, what } as const;
    return {
      check: check.name,
      verdict: "broken",
      seconds: seconds(),
      looked: "it could not run",
      findings: [finding],
    };
  }
}

function reportLines(report: Report, check: Check, width: number): string[] {
  const c = colours();
  const mark = { passed: c.green("pass  "), failed: c.red("FAIL  "), broken: c.red("BROKEN") }[
    report.verdict
  ];
  const lines = [
    `${mark} ${report.check.padEnd(width)}  ${check.title}: ${report.looked} (${report.seconds} s)`,
  ];
  for (const { level, where, what } of report.findings) {
    lines.push(`       ${level === "error" ? c.red(level) : c.yellow(level)} ${c.bold(where)}`);
    lines.push(...what.split("\n").map((line) => `         ${line}`));
  }
  return lines;
}

await runCommand({ name: "verify", usage, options }, main);
