// Holds every port to every contract that it promises, with its front and without, and writes what it finds to
// site/data/ports.json, from which the page "Two ports" makes its tables, and into the READMEs of the ports. Takes about ten
// minutes.
//
//   npx tsx scripts/ported-results.ts
//
// Exit codes: 0 written, 1 a port cannot be built here, 2 a suite could not run.

import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import pMap from "p-map";
import { runCommand } from "./command-line.ts";
import { type PortedRun, runPortedContract } from "./ported-contract.ts";
import { withResults } from "./ported-results-table.ts";
import { buildPorted, portedNames, portedRouters } from "./ported-routers.ts";
import { projectRoot } from "./stages.ts";

async function main(): Promise<number> {
  const jobs: (() => Promise<PortedRun>)[] = [];
  for (const name of portedNames) {
    const ported = portedRouters[name];
    const program = await buildPorted(ported, console.log);
    for (const front of ["on", "off"] as const)
      for (const stage of ported.stages) jobs.push(() => runPortedContract(ported, program, stage, front));
  }
  const runAndTell = async (job: () => Promise<PortedRun>): Promise<PortedRun> => {
    const run = await job();
    const { core, form, policy } = run.grades;
    const broken = `${core.failed} core, ${form.failed} form, ${policy.failed} policy`;
    console.log(`${run.port} ${run.contract}, front ${run.front}: broken ${broken}`);
    return run;
  };
  // The cases mostly wait for time limits, and leave the processor to another run.
  const runs = await pMap(jobs, runAndTell, { concurrency: Math.min(2, availableParallelism()) });
  const date = new Date().toISOString().slice(0, 10);
  const file = join(projectRoot, "site", "data", "ports.json");
  const saved = runs.map(({ failures, ...run }) => {
    return { ...run, failures: failures.map(({ title, grade }) => ({ title, grade })) };
  });
  writeFileSync(file, `${JSON.stringify({ date, runs: saved }, null, 2)}\n`);
  for (const name of portedNames) {
    const readme = join(projectRoot, "ports", name, "README.md");
    writeFileSync(readme, withResults(readFileSync(readme, "utf8"), name, runs));
  }
  return 0;
}

const usage = `Usage: npx tsx scripts/ported-results.ts
  Holds every port to every contract that it promises, and writes site/data/ports.json and the ports' READMEs.
  --help   this text`;

await runCommand({ name: "ported-results", usage, options: {}, flagsOnly: true }, main);
