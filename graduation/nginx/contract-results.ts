// Holds nginx to the contracts of m1 and m4, writes what it finds to site/data/graduation-nginx.json, and fails when a core case is
// broken for a reason that `causes.ts` does not name. Takes about twelve minutes, most of it waiting.
//
//   npx tsx graduation/nginx/contract-results.ts
//   npx tsx graduation/nginx/contract-results.ts --only m1
//
// Exit codes: 0 written, 1 nginx is not installed, 2 a core case is broken without a named cause, or a suite could not run.

import { BrokenPromiseError, runCommand } from "../../scripts/command-line.ts";
import { runContracts, saveResults, today, wantedContracts, withCauses } from "../contract-results.ts";
import { causeOf, causes } from "./causes.ts";

const usage = `Usage: npx tsx graduation/nginx/contract-results.ts [flags]
  --only NAME  m1 or m4; the other one's results stay as they are
  --help       this text`;

await runCommand(
  { name: "contract-results", usage, options: { only: { type: "string" } }, flagsOnly: true },
  async ({ only }) => {
    const found = await runContracts("nginx", "main.ts", wantedContracts("nginx", only));
    const runs = found.map((run) => withCauses(run, causeOf));
    const told = causes.map(({ name, words }) => ({ name, words }));
    saveResults("nginx", { date: today(), runs }, told);
    const unexplained = runs.flatMap(({ contract, failures }) =>
      failures
        .filter(({ grade, cause }) => grade === "core" && cause === null)
        .map(({ title }) => `${contract}: ${title}`),
    );
    if (unexplained.length === 0) return 0;
    throw new BrokenPromiseError(`core cases are broken without a named cause:\n${unexplained.join("\n")}`);
  },
);
