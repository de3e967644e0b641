// Measures what a routing table costs a router in memory, for the calculator of the page "After the last milestone", and writes
// site/data/router-memory.json. Each stage is started with two sizes of table, and given another table of the same size.
//
//   npx tsx scripts/docs/router-memory.ts
//
// Exit codes: 0 written, 2 a router did not start or did not follow its file.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeMachine } from "../../bench/machine.ts";
import { readTree } from "../../bench/process-tree.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { contractRouting, startRouter } from "../../shared/testkit/router-process.ts";
import { runCommand } from "../command-line.ts";
import { projectRoot } from "../stages.ts";

const sizes = [10, 100_000];
const stages = ["m4", "m5"] as const;

const usage = `Usage: npx tsx scripts/docs/router-memory.ts
  Measures what a routing table costs in memory, and writes site/data/router-memory.json.
  --help   this text`;

await runCommand({ name: "router-memory", usage, options: {}, flagsOnly: true }, async () => {
  const machine = describeMachine();
  const rows = [];
  for (const stage of stages)
    for (const keys of sizes) {
      const row = await measure(stage, keys);
      rows.push(row);
      console.log(JSON.stringify(row));
    }
  const method = [
    "One worker, no control plane, no traffic. residentMiB: of the process tree once it is ready; swapPeakMiB: the sum of the processes' high-water marks after it has followed its file to a second table of the same size.",
  ];
  const result = { takenAt: new Date().toISOString(), machine, method, rows };
  writeFileSync(
    join(projectRoot, "site", "data", "router-memory.json"),
    `${JSON.stringify(result, null, 2)}\n`,
  );
  return 0;
});

async function measure(stage: (typeof stages)[number], keys: number) {
  const text = (version: string) => JSON.stringify(tableOf(keys, version));
  await using router = await startRouter({ stage, routingText: text("first"), readyDeadlineMs: 60_000 });
  const residentMiB = inMiB(readTree(router.pid).rssKiB);
  writeFileSync(join(router.directory, "routing.json"), text("second"));
  const followed = async () => {
    const response = await fetch(`${router.ready["adminUrl"]}/debug/config`);
    return ((await response.json()) as { readonly version: string }).version === "second";
  };
  await eventually(followed, { what: "the router uses the second table", deadlineMs: 60_000, everyMs: 50 });
  return {
    stage,
    keys,
    tableBytes: text("first").length,
    residentMiB,
    swapPeakMiB: inMiB(readTree(router.pid).peakRssKiB),
  };
}

/** The contract's table with this many keys, named as those of the fleet bench. */
function tableOf(keys: number, version: string): object {
  const names = ["visa", "tier1", "tier2", "tier3"];
  const entries = Array.from({ length: keys }, (_, n) => [`tenant-${n}`, names[n % 4]]);
  return { ...(contractRouting() as object), version, routingTable: Object.fromEntries(entries) };
}

function inMiB(kib: number): number {
  return Math.round(kib / 102.4) / 10;
}
