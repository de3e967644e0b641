// What reloads cost while traffic runs: clients on kept connections, clients that connect for each request, and one long download
// that begins before each reload. Measures; judging is left to whoever asked.

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/free-port.ts";
import { startCell } from "../../shared/cells/cell.ts";
import { placementNames } from "../../shared/testkit/cluster.ts";
import { withDescendants } from "../../shared/testkit/process-by-port.ts";
import { contractRouting } from "../../shared/testkit/router-process.ts";
import { parseRoutingTable, type RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { NginxProcess } from "./nginx-process.ts";

export interface ReloadPlan {
  readonly reloads: number;
  /** Clients of each kind. */
  readonly clients: number;
  /** How long each download takes when nothing cuts it. */
  readonly downloadSeconds: number;
  /** `worker_shutdown_timeout`; 0 for none. */
  readonly shutdownSeconds: number;
}

export interface ClientCount {
  readonly requests: number;
  /** By what the client felt: `ECONNRESET`, `status 502`, `cut`. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface ReloadCost {
  readonly kept: ClientCount;
  readonly fresh: ClientCount;
  readonly downloads: { readonly begun: number; readonly whole: number; readonly cut: number };
  /** From the signal until only the new workers accept, in milliseconds. */
  readonly applyMs: { readonly median: number; readonly max: number };
  /** Old workers that were still there after the last reload. */
  readonly oldWorkers: number;
  /** Of the whole process tree; pages that processes share count once. */
  readonly memoryMiB: { readonly before: number; readonly afterTheLast: number };
}

export async function measureReloads(plan: ReloadPlan): Promise<ReloadCost> {
  const directory = await mkdtemp(join(tmpdir(), "cell-routing-nginx-"));
  await using cells = new AsyncDisposableStack();
  const urls: Record<string, string> = {};
  for (const name of placementNames) urls[name] = cells.use(await startCell({ name })).url;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  try {
    await using nginx = await NginxProcess.start(tableOver(urls, 0), {
      listen: `127.0.0.1:${port}`,
      directory,
      shutdownTimeout: `${plan.shutdownSeconds}s`,
    });
    return await run(plan, nginx, url, (n) => tableOver(urls, n));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function run(
  plan: ReloadPlan,
  nginx: NginxProcess,
  url: string,
  tableOf: (n: number) => RoutingTable,
): Promise<ReloadCost> {
  const stop = new AbortController();
  const kept = Array.from({ length: plan.clients }, () => askUntil(stop.signal, url, true));
  const fresh = Array.from({ length: plan.clients }, () => askUntil(stop.signal, url, false));
  const before = memoryMiB(nginx.pid);
  const downloads: Promise<string>[] = [];
  const path = `/drip?chunks=${plan.downloadSeconds * 10}&intervalMs=100&bytes=1000`;
  const applyMs: number[] = [];
  for (let n = 1; n <= plan.reloads; n++) {
    const begun = Promise.withResolvers<void>();
    downloads.push(ask(`${url}${path}`, undefined, () => begun.resolve()));
    await Promise.race([begun.promise, downloads.at(-1)]);
    const startedAt = performance.now();
    await nginx.apply(tableOf(n));
    applyMs.push(performance.now() - startedAt);
  }
  const oldWorkers = nginx.workers().leaving.length;
  const afterTheLast = memoryMiB(nginx.pid);
  stop.abort();
  const ends = await Promise.all(downloads);
  const whole = ends.filter((end) => end === "ok").length;
  applyMs.sort((a, b) => a - b);
  return {
    kept: summed(await Promise.all(kept)),
    fresh: summed(await Promise.all(fresh)),
    downloads: { begun: ends.length, whole, cut: ends.length - whole },
    applyMs: {
      median: Math.round(applyMs[Math.floor(applyMs.length / 2)] ?? 0),
      max: Math.round(applyMs.at(-1) ?? 0),
    },
    oldWorkers,
    memoryMiB: { before, afterTheLast },
  };
}

/** The contract's table, with one key more that moves each time. */
function tableOver(urls: Readonly<Record<string, string>>, n: number): RoutingTable {
  const document = contractRouting(urls) as { readonly routingTable: object };
  const routingTable = { ...document.routingTable, mover: n % 2 === 0 ? "tier1" : "tier2" };
  const result = parseRoutingTable({ ...document, version: `v${n}`, routingTable });
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

async function askUntil(signal: AbortSignal, url: string, keepAlive: boolean): Promise<string[]> {
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  const ends: string[] = [];
  while (!signal.aborted) ends.push(await ask(`${url}/status/200`, agent));
  agent.destroy();
  return ends;
}

/** How one request ended: `ok`, `status 502`, `cut`, or the code of the socket's error. Never rejects, never repeats. */
function ask(url: string, agent: Agent | undefined, onHead: () => void = () => {}): Promise<string> {
  return new Promise((resolve) => {
    const onResponse = (response: IncomingMessage) => {
      onHead();
      response.once("close", () => {
        if (!response.complete) resolve("cut");
        else resolve(response.statusCode === 200 ? "ok" : `status ${response.statusCode}`);
      });
      response.on("error", () => {}).resume();
    };
    const options = { headers: { "X-Routing-Key": "acme" }, agent: agent ?? false } as const;
    get(url, options, onResponse).once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code ?? error.message),
    );
  });
}

function summed(all: readonly (readonly string[])[]): ClientCount {
  const ends = all.flat();
  const failed: Record<string, number> = {};
  for (const end of ends) if (end !== "ok") failed[end] = (failed[end] ?? 0) + 1;
  return { requests: ends.length, failed };
}

/** Proportional set size of a process tree. @see https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html */
function memoryMiB(root: number): number {
  const kib = withDescendants(root).map((pid) => {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // It has ended since the listing.
      return 0;
    }
  });
  return Math.round((kib.reduce((sum, each) => sum + each, 0) / 1024) * 10) / 10;
}
