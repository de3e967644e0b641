// The router in other languages: linted, tested, built, and held to the contract, where its tools are installed. A port may miss
// a few cases of form or policy, and none of the core. Where a tool is missing, the check says so and passes.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pMap from "p-map";
import { type CheckResult, error, type Finding } from "../check.ts";
import { UsageError } from "../command-line.ts";
import { type PortedRun, runPortedContract } from "../ported-contract.ts";
import {
  buildFolder,
  buildForProof,
  missingTool,
  type PortedName,
  type PortedRouter,
  portedNames,
  portedRouters,
  runTool,
  sourceHash,
} from "../ported-routers.ts";
import { lastLines } from "../run-tool.ts";

export const check = {
  name: "ports",
  title: "The routers in other languages are sound, and hold the core of every contract that they promise",
  order: 71,
  run,
};

/** Without the longest case of m4, as in `npm test`. */
const quick = { QUICK_CONTRACT: "1" };
/** Cases of form and of policy together, over all contracts of a port. */
const maxMissed = 5;

/** `{target}` is the folder of the build. Not for release: that would optimise the tests for two minutes. */
const lints: Readonly<Record<PortedName, readonly (readonly [tool: string, ...args: string[]])[]>> = {
  pingora: [
    ["cargo", "fmt", "--check"],
    ["cargo", "test", "--locked", "--target-dir", "{target}"],
    ["cargo", "clippy", "--all-targets", "--locked", "--target-dir", "{target}", "--", "-D", "warnings"],
  ],
  go: [
    ["gofmt", "-l", "."],
    ["go", "vet", "./..."],
    ["go", "test", "./..."],
  ],
};

async function run(root: string): Promise<CheckResult> {
  const findings: Finding[] = [];
  const looked: string[] = [];
  const jobs: (() => Promise<PortedRun>)[] = [];
  for (const name of portedNames) {
    const ported = portedRouters[name];
    if (!existsSync(join(root, "ports", name))) continue;
    const obstacle = await whyNotHere(ported, root);
    if (obstacle !== undefined) {
      looked.push(`${name} skipped, ${obstacle}`);
      continue;
    }
    const program = await buildForProof(ported, root).catch((fault: unknown) => {
      if (!(fault instanceof UsageError)) throw fault;
      findings.push(error(`ports/${name}`, lastLines(fault.message, 40)));
    });
    if (program === undefined) continue;
    findings.push(...(await lint(ported, root)));
    for (const stage of ported.stages)
      jobs.push(() => runPortedContract(ported, program, stage, "on", root, quick));
  }
  // A suite's cases mostly wait for time limits, and leave the processors to another suite.
  const runs = await pMap(jobs, (job) => job(), { concurrency: 2 });
  for (const name of portedNames) {
    const own = runs.filter((each) => each.port === name);
    if (own.length === 0) continue;
    const failures = own.flatMap((each) => each.failures.map((failure) => ({ ...failure, ...each })));
    const missed = failures.filter(({ grade }) => grade !== "core");
    const core = failures.filter(({ grade }) => grade === "core");
    findings.push(
      ...core.map(({ contract, title, message = "" }) =>
        error(`ports/${name}`, `breaks the core of ${contract}: ${title}\n${message}`),
      ),
    );
    if (missed.length > maxMissed) {
      const titles = missed.map(({ contract, title }) => `${contract}: ${title}`);
      const words = `misses ${missed.length} cases of form or policy; ${maxMissed} at most:`;
      findings.push(error(`ports/${name}`, [words, ...titles].join("\n")));
    }
    const held = own.map(({ contract }) => contract).join(", ");
    looked.push(`${name} ${held}, ${missed.length} of form or policy missed`);
  }
  return { findings, looked: looked.join("; ") || "no ports" };
}

/** What this machine lacks: a tool, a version of it, or a way to the crates. A port that is at fault itself is not skipped. */
async function whyNotHere(ported: PortedRouter, root: string): Promise<string | undefined> {
  const missing = await missingTool(ported);
  if (missing !== undefined) return `${missing} is not installed`;
  const args = ported.tool === "cargo" ? ["fetch", "--locked"] : ["vet", "./..."];
  const { code, output } = await runTool(ported.tool, args, join(root, "ports", ported.name));
  if (code === 0) return undefined;
  if (/requires rustc|edition2024|requires go >=/.test(output)) return `it needs ${ported.needs}`;
  return /failed to (?:download|get|fetch|query)|spurious network error/.test(output)
    ? "its crates cannot be fetched here"
    : undefined;
}

/** Once for each state of the sources: what has passed is not done again. */
async function lint(ported: PortedRouter, root: string): Promise<Finding[]> {
  const { name } = ported;
  const passed = join(root, ".cache", "ports", `sound-${name}-${sourceHash(ported, root)}`);
  if (existsSync(passed)) return [];
  const findings: Finding[] = [];
  const target = buildFolder(ported, root);
  for (const [tool, ...args] of lints[name]) {
    const words = args.map((word) => word.replace("{target}", target));
    const { code, output } = await runTool(tool, words, join(root, "ports", name));
    // `gofmt -l` names files and exits with 0.
    const isClean = code === 0 && (tool !== "gofmt" || output === "");
    if (isClean) continue;
    const what = code === undefined ? `${tool} is not installed` : lastLines(output, 40);
    findings.push(error(`ports/${name}`, `${tool} ${args[0]}:\n${what}`));
  }
  if (findings.length > 0) return findings;
  mkdirSync(join(root, ".cache", "ports"), { recursive: true });
  writeFileSync(passed, "");
  return [];
}
