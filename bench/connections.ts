// `npm run bench -- connections`: what many clients cost in memory: peak resident memory of a fresh proxy that holds 1,000 idle
// connections, and of another that serves 1,000 busy ones.
import { join } from "node:path";
import { readyLine, startChild } from "./child.ts";
import type { Contender } from "./contender.ts";
import { deliver, showProgress } from "./deliver.ts";
import { Lineup, select } from "./lineup.ts";
import { chooseClosedLoop } from "./load/closed-loop.ts";
import { describeMachine } from "./machine.ts";
import type { BenchOptions } from "./options.ts";
import { readTree } from "./process-tree.ts";
import { formatNumber, formatTable } from "./table.ts";

const connections = 1_000;

type MemoryRow = {
  readonly name: string;
  /** Resident memory of the tree after the first few requests, in MiB. */
  readonly freshMiB: number;
  readonly idlePeakMiB: number;
  readonly busyPeakMiB: number;
  readonly busyRequestsPerSecond: number;
  readonly errors: number;
};

async function measure(lineup: Lineup, contender: Contender, options: BenchOptions): Promise<MemoryRow> {
  const { name } = contender;
  showProgress(`${connections} idle connections: ${name}`);
  const idle = await lineup.start(contender, options);
  const idlePid = idle.pid ?? process.pid;
  const freshMiB = readTree(idlePid).rssKiB / 1024;
  const job = JSON.stringify({ url: idle.url, connections });
  const script = join(import.meta.dirname, "load", "idle-process.ts");
  const clients = startChild(process.execPath, [script, job], {
    name: `${name}-clients`,
    directory: lineup.directory,
  });
  await readyLine(clients, 30_000);
  const idlePeakMiB = readTree(idlePid).peakRssKiB / 1024;
  await clients.stop();
  await idle.stop();

  // A fresh process: the peak of the first would hide the second's.
  showProgress(`${connections} busy connections: ${name}`);
  const busy = await lineup.start(contender, options);
  const { seconds, signal } = options;
  const load = await chooseClosedLoop().run(busy.url, { connections, seconds, signal });
  const busyPeakMiB = readTree(busy.pid ?? process.pid).peakRssKiB / 1024;
  await busy.stop();
  const { requests } = load;
  // No response at all within the time is as bad as an error.
  const errors = requests === 0 ? load.errors + 1 : load.errors;
  return { name, freshMiB, idlePeakMiB, busyPeakMiB, busyRequestsPerSecond: requests / load.seconds, errors };
}

/** Returns the exit code: 2 when a contender failed or had errors under load. */
export async function benchConnections(options: BenchOptions): Promise<number> {
  const machine = describeMachine();
  const chosen = [...(options.only ?? select(undefined)), ...options.also].filter(
    ({ kind }) => kind !== "none",
  );
  await using lineup = new Lineup();
  const [rows, absent]: [MemoryRow[], { name: string; why: string; kind: "missing" | "failed" }[]] = [[], []];
  for (const contender of chosen) {
    const found = contender.find();
    if (found.kind === "missing") {
      absent.push({ name: contender.name, why: found.why, kind: "missing" });
      continue;
    }
    try {
      rows.push(await measure(lineup, contender, options));
    } catch (error) {
      options.signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      absent.push({ name: contender.name, why, kind: "failed" });
    }
  }
  showProgress("");
  const table = formatTable(
    ["contender", "fresh MiB", "1,000 idle, peak MiB", "1,000 busy, peak MiB", "busy requests/s", "errors"],
    rows.map((row) => [
      row.name,
      ...[row.freshMiB, row.idlePeakMiB, row.busyPeakMiB, row.busyRequestsPerSecond].map(formatNumber),
      String(row.errors),
    ]),
  );
  const words = absent.map(
    ({ name, why, kind }) => `${kind === "missing" ? "skipped" : "FAILED"} ${name}: ${why}`,
  );
  const head = `Resident memory of the process tree; busy: closed loop for ${options.seconds} s`;
  const method = { connections, seconds: options.seconds };
  const report = {
    kind: "connections",
    takenAt: new Date().toISOString(),
    machine,
    method,
    rows,
    absent,
  };
  deliver(options, report, [head, "", table, "", ...words].join("\n").trimEnd());
  return absent.some(({ kind }) => kind === "failed") || rows.some(({ errors }) => errors > 0) ? 2 : 0;
}
