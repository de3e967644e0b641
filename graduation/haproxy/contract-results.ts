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
import { BrokenPromiseError, runCommand } from "../../scripts/command-line.ts";
import { projectRoot } from "../../scripts/stages.ts";
import { runContracts, savedResults, saveResults, today, wantedContracts } from "../contract-results.ts";
import { differences } from "./differences.ts";
import { faultsOf, judged, withResults } from "./judgement.ts";

const usage = `Usage: npx tsx graduation/haproxy/contract-results.ts [flags]
  --only NAME  m1 or m4; the other one's results stay as they are
  --judge      run nothing; judge what the last run found
  --help       this text`;

const readme = join(projectRoot, "graduation", "haproxy", "README.md");

await runCommand(
  {
    name: "contract-results",
    usage,
    options: { only: { type: "string" }, judge: { type: "boolean" } },
    flagsOnly: true,
  },
  async ({ only, judge = false }) => {
    const wanted = wantedContracts("haproxy", only);
    const found = await runContracts("haproxy", "router.ts", judge ? [] : wanted);
    const runs = found.map((run) => judged(run));
    const date = judge ? savedResults("haproxy").date : today();
    const causes = differences.map(({ name, kind, words }) => ({ name, kind, words }));
    saveResults("haproxy", { date, runs }, causes);
    writeFileSync(readme, withResults(readFileSync(readme, "utf8"), runs, date));
    const faults = runs.flatMap((run) => faultsOf(run));
    if (faults.length === 0) return 0;
    throw new BrokenPromiseError(
      `the core differs in another way than differences.ts says:\n${faults.join("\n")}`,
    );
  },
);
