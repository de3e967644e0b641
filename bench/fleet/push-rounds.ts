// The measured part of the fleet bench: one change after the other, each timed until the last router runs it.
import type { Child } from "../child.ts";
import { showProgress } from "../deliver.ts";
import { readTree } from "../process-tree.ts";
import type { ClientProcess } from "./client-processes.ts";
import type { FleetRow } from "./fleet-report.ts";
import { machineNowMs } from "./machine-clock.ts";

export type Setting = {
  readonly keys: number;
  readonly push: FleetRow["push"];
  readonly url: string;
  readonly token: string;
  readonly controlPlane: Child;
  readonly fleet: readonly ClientProcess[];
  readonly routers: number;
  readonly rounds: number;
};

export async function pushRounds(setting: Setting): Promise<FleetRow> {
  const { keys, push, url, token, controlPlane, fleet, routers } = setting;
  // A large table takes seconds a round.
  const rounds = keys >= 100_000 ? Math.max(1, Math.ceil(setting.rounds / 4)) : setting.rounds;
  const latencies: number[] = [];
  const [lasts, puts]: [number[], number[]] = [[], []];
  let [cpuBefore, lostBefore, lost, bytes, deltas] = [0, 0, 0, 0, routers];
  for (let round = 0; round <= rounds; round++) {
    showProgress(`${keys} keys, ${push}: round ${round} of ${rounds}`);
    if (round === 1) {
      cpuBefore = readTree(controlPlane.pid).cpuMs;
      lostBefore = lost;
    }
    const body = JSON.stringify(tableOf(keys, round + 1));
    const revision = round + 2;
    const arrived = Promise.all(fleet.map((each) => each.acked(revision)));
    const startedAtMs = machineNowMs();
    // Should the clients fail meanwhile, that is told below.
    arrived.catch(() => {});
    await put(url, token, body);
    const putMs = machineNowMs() - startedAtMs;
    const reports = await arrived;
    bytes = reports.reduce((sum, report) => sum + report.bytes, 0);
    lost = reports.reduce((sum, report) => sum + report.lostLinks, 0);
    await expectEveryRouterAt(url, revision, routers);
    if (round === 0) continue;
    const took = reports.flatMap((report) => report.atMs.map((atMs) => atMs - startedAtMs));
    latencies.push(...took);
    lasts.push(Math.max(...took));
    puts.push(putMs);
    deltas = Math.min(
      deltas,
      reports.reduce((sum, report) => sum + report.deltas, 0),
    );
  }
  const usage = readTree(controlPlane.pid);
  return {
    keys,
    push,
    snapshotBytes: Buffer.byteLength(JSON.stringify(tableOf(keys, 1))),
    rounds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    lastAckMedianMs: percentile(lasts, 0.5),
    lastAckMaxMs: Math.max(...lasts),
    putMedianMs: percentile(puts, 0.5),
    bytesToRouters: bytes,
    deltas,
    lostLinks: lost - lostBefore,
    controlPlaneCpuMs: (usage.cpuMs - cpuBefore) / rounds,
    controlPlanePeakRssMiB: usage.peakRssKiB / 1024,
  };
}

async function put(url: string, token: string, body: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, "If-Match": "*", "Content-Type": "application/json" };
  const response = await fetch(`${url}/v1/routing`, { method: "PUT", headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`PUT answered ${response.status}: ${text.slice(0, 300)}`);
}

/** The control plane's own account must agree: an ack that it did not understand is none. */
export async function expectEveryRouterAt(url: string, revision: number, count: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { routers } = (await (await fetch(`${url}/v1/routers`)).json()) as {
      routers: { connected: boolean; revision: number; lagSeconds: number }[];
    };
    const upToDate = routers.filter((each) => each.connected && each.revision === revision);
    if (upToDate.length === count && upToDate.every(({ lagSeconds }) => lagSeconds === 0)) return;
    if (performance.now() > deadline)
      throw new Error(
        `The control plane knows ${upToDate.length} of ${count} routers at revision ${revision}`,
      );
  }
}

/** A table of `keys` keys, as it is before round 1 and after each round. */
export function tableOf(keys: number, round: number): unknown {
  const names = Array.from({ length: 8 }, (_, index) => `tier${index + 1}`);
  const placements = names.map((name, index) => [
    name,
    { kind: "tier", url: `http://127.0.0.1:${9001 + index}` },
  ]);
  const routingTable = Array.from({ length: keys }, (_, index) => [
    `tenant-${index}`,
    // One key moves with each round, as in an ordinary change.
    names[(index === 0 ? round : index) % names.length],
  ]);
  return {
    version: `round-${round}`,
    defaultPlacement: "tier1",
    routingTable: Object.fromEntries(routingTable),
    placements: Object.fromEntries(placements),
  };
}

export function percentile(values: readonly number[], quantile: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * quantile) - 1)];
  if (value === undefined) throw new RangeError("Cannot take a percentile of no values");
  return value;
}
