// How fast a change reaches the traffic, and what a reload costs it. Starts a stack of its own on free ports.
//
//   npx tsx graduation/haproxy/agent/push-latency.ts                  1,000 changes of one key, then 20 reloads
//   npx tsx graduation/haproxy/agent/push-latency.ts --changes 200 --reloads 0 --keys 100000
//
// Exit codes: 0 the bars hold (p99 under 100 ms, no failed request), 1 they do not, or a wrong flag, 2 it could not be measured.

import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand, type Values, wholeNumber } from "../../../scripts/command-line.ts";
import { measureChanges } from "./measure-changes.ts";
import { measureReloads } from "./measure-reloads.ts";
import { startAgentStack } from "./stack.ts";

const usage = `Usage: npx tsx graduation/haproxy/agent/push-latency.ts [flags]
  --changes N   moves of one key from one placement to another (1000)
  --keys N      routing keys in the table meanwhile (1000)
  --reloads N   tables with another placement, under steady load (20)
  --folder DIR  where the stack keeps its files; the control plane syncs each change to that disk
  --json        the results as one JSON object
  --help        this text`;

const options = {
  changes: { type: "string" },
  keys: { type: "string" },
  reloads: { type: "string" },
  folder: { type: "string" },
  json: { type: "boolean" },
} as const;

const barMs = 100;

async function main(values: Values<typeof options>): Promise<number> {
  const changes = wholeNumber("--changes", values.changes ?? "1000", 0, 100_000);
  const keys = wholeNumber("--keys", values.keys ?? "1000", 0, 200_000);
  const reloads = wholeNumber("--reloads", values.reloads ?? "20", 0, 1_000);
  const isJson = values.json === true;
  const folder = mkdtempSync(join(values.folder ?? tmpdir(), "haproxy-push-"));
  await using stack = await startAgentStack({ stateFolder: join(folder, "s") });
  // HAProxy is no child of this process: whoever stops the measurement stops it as well.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void stack.stop().finally(() => process.exit(2)));
  try {
    const latency = changes === 0 ? undefined : await measureChanges(stack, changes, keys);
    if (latency !== undefined && !isJson)
      console.log(
        `${changes} changes of one key in a table of ${keys}: from the PATCH to the first response of the new placement ` +
          `p50 ${latency.p50Ms} ms, p99 ${latency.p99Ms} ms, max ${latency.maxMs} ms (the PATCH's own ` +
          `response: p50 ${latency.acceptedP50Ms} ms, p99 ${latency.acceptedP99Ms} ms). Looked every ` +
          `${latency.resolutionP50Ms} ms (p99 ${latency.resolutionP99Ms} ms), ${latency.requests} requests, ` +
          `${latency.failed} failed, ${latency.wentBack} saw the old placement after the new one.`,
      );
    const load = reloads === 0 ? undefined : await measureReloads(stack, reloads);
    if (load !== undefined && !isJson)
      console.log(
        `${load.reloads} reloads under ${load.clients} clients, ${load.requestsPerSecond} requests per second: ` +
          `${load.requests} requests, ${load.failed} failed, ${load.violations.length} violations. From the PUT to the ack ` +
          `p50 ${load.p50Ms} ms, max ${load.maxMs} ms.\n${load.violations.slice(0, 5).join("\n")}`.trimEnd(),
      );
    const loadAverage = Math.round((loadavg()[0] ?? 0) * 10) / 10;
    if (isJson) console.log(JSON.stringify({ latency, load, cores: availableParallelism(), loadAverage }));
    else console.log(`On ${availableParallelism()} cores with a load average of ${loadAverage}.`);
    const isFast = latency === undefined || latency.p99Ms < barMs;
    const isWhole =
      (latency === undefined || latency.failed + latency.wentBack === 0) &&
      (load === undefined || load.failed + load.violations.length === 0);
    if (!isFast) console.error(`A p99 of ${latency?.p99Ms} ms is over the bar of ${barMs} ms.`);
    return isFast && isWhole ? 0 : 1;
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await runCommand({ name: "push-latency", usage, options, flagsOnly: true }, main);
