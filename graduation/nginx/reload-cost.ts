// Measures what a reload costs: failed requests, downloads that were cut, old workers that stay, memory. Writes nothing.
//
//   npx tsx graduation/nginx/reload-cost.ts
//   npx tsx graduation/nginx/reload-cost.ts --reloads 5 --shutdown 2 --json
//
// Exit codes: 0 measured, 1 nginx is not installed or a flag is wrong, 2 nginx does not serve.

import { runCommand, UsageError, wholeNumber } from "../../scripts/command-line.ts";
import { engineVersion, missingEngine } from "../topic.ts";
import { type ClientCount, measureReloads } from "./reload-run.ts";

const usage = `Usage: npx tsx graduation/nginx/reload-cost.ts [flags]
  --reloads N   how many, one after the other (20)
  --clients N   on kept connections, and as many that connect for each request (4)
  --download N  seconds that each long download takes; one begins before each reload (30)
  --shutdown N  worker_shutdown_timeout in seconds, 0 for none (0, then 5)
  --json        one JSON object a run
  --help        this text`;

const options = {
  reloads: { type: "string" },
  clients: { type: "string" },
  download: { type: "string" },
  shutdown: { type: "string" },
  json: { type: "boolean" },
} as const;

await runCommand({ name: "reload-cost", usage, options, flagsOnly: true }, async (values) => {
  const missing = missingEngine(["nginx"]);
  if (missing !== undefined) throw new UsageError(missing);
  const reloads = wholeNumber("--reloads", values.reloads ?? "20", 1, 1000);
  const clients = wholeNumber("--clients", values.clients ?? "4", 1, 100);
  const downloadSeconds = wholeNumber("--download", values.download ?? "30", 1, 3600);
  const shutdowns =
    values.shutdown === undefined ? [0, 5] : [wholeNumber("--shutdown", values.shutdown, 0, 3600)];
  for (const shutdownSeconds of shutdowns) {
    const cost = await measureReloads({ reloads, clients, downloadSeconds, shutdownSeconds });
    if (values.json === true) {
      console.log(JSON.stringify({ nginx: engineVersion("nginx"), shutdownSeconds, ...cost }));
      continue;
    }
    const { downloads, applyMs, memoryMiB } = cost;
    console.log(`${reloads} reloads, worker_shutdown_timeout ${shutdownSeconds || "off"}`);
    console.log(`  a reload took       ${applyMs.median} ms (median), ${applyMs.max} ms (longest)`);
    console.log(`  kept connections    ${inWords(cost.kept)}`);
    console.log(`  fresh connections   ${inWords(cost.fresh)}`);
    console.log(
      `  long downloads      ${downloads.begun} begun, ${downloads.whole} whole, ${downloads.cut} cut`,
    );
    console.log(`  old workers left    ${cost.oldWorkers} after the last reload`);
    console.log(
      `  memory              ${memoryMiB.before} MiB before, ${memoryMiB.afterTheLast} MiB after it`,
    );
  }
  return 0;
});

function inWords({ requests, failed }: ClientCount): string {
  const causes = Object.entries(failed).map(([cause, count]) => `${count} ${cause}`);
  return `${requests} requests, ${causes.length === 0 ? "none failed" : `failed: ${causes.join(", ")}`}`;
}
