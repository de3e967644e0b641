// The time from a change sent to the control plane until the first response that follows it. One client asks every
// millisecond or two on one connection; its requests are the resolution of the result.

import { readFileSync } from "node:fs";
import { Agent, get, type IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { BrokenPromiseError } from "../../../scripts/command-line.ts";
import { ControlPlaneClient } from "../../../scripts/ctl/client.ts";
import type { Stack } from "../../../scripts/stack.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import type { RoutingDocument } from "../../../stages/m4/src/routing-table.ts";

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of which until the control plane's response: it has written the table to disk by then. */
  readonly acceptedP50Ms: number;
  readonly acceptedP99Ms: number;
  /** From one look to the next. */
  readonly resolutionP50Ms: number;
  readonly resolutionP99Ms: number;
  readonly requests: number;
  readonly failed: number;
  /** Responses of the old placement after the first one of the new. */
  readonly wentBack: number;
}

const movedKey = "mover";
/** Between two looks. Looking without a pause would take half of the machine from what is measured. */
const pauseMs = 1;

export async function measureChanges(stack: Stack, changes: number, keys: number): Promise<Latency> {
  const { controlPlane, routers } = stack;
  const [router] = routers;
  if (controlPlane === undefined || router === undefined) throw new BrokenPromiseError("half a stack");
  const token = readFileSync(controlPlane.tokenFile, "utf8").trim();
  const client = new ControlPlaneClient(controlPlane.url, [token]);
  await fillTable(client, keys);

  using looker = new Looker(router.url);
  const tookMs: number[] = [];
  const acceptedMs: number[] = [];
  for (let n = 0; n < changes; n++) {
    const placement = n % 2 === 0 ? "tier2" : "tier1";
    // Reading the ETag is not part of the change.
    const { etag } = await client.key(movedKey);
    const sentAtMs = performance.now();
    const accepted = client.patchKey(movedKey, placement, etag).then(() => performance.now());
    const [seenAtMs, acceptedAtMs] = await Promise.all([looker.firstFrom(placement), accepted]);
    tookMs.push(seenAtMs - sentAtMs);
    acceptedMs.push(acceptedAtMs - sentAtMs);
  }
  await looker.stop();
  return {
    p50Ms: quantile(tookMs, 0.5),
    p99Ms: quantile(tookMs, 0.99),
    maxMs: quantile(tookMs, 1),
    acceptedP50Ms: quantile(acceptedMs, 0.5),
    acceptedP99Ms: quantile(acceptedMs, 0.99),
    resolutionP50Ms: quantile(looker.looksMs, 0.5),
    resolutionP99Ms: quantile(looker.looksMs, 0.99),
    requests: looker.looksMs.length,
    failed: looker.failed,
    wentBack: looker.wentBack,
  };
}

async function fillTable(client: ControlPlaneClient, keys: number): Promise<void> {
  const { table, etag } = (await client.table()) as { table: RoutingDocument; etag: string };
  const filler = Object.fromEntries(Array.from({ length: keys }, (_, n) => [`tenant-${n}`, "tier2"]));
  const routingTable = { ...table.routingTable, ...filler, [movedKey]: "tier1" };
  const { revision } = await client.put({ ...table, routingTable }, etag);
  const isAcked = async () => (await client.fleet()).routers.every((each) => each.revision === revision);
  await eventually(isAcked, { what: "the first table is acked", deadlineMs: 30_000, everyMs: 50 });
}

/** Asks for the moved key, one request after the other, and notes who serves. */
class Looker implements Disposable {
  readonly looksMs: number[] = [];
  failed = 0;
  wentBack = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  readonly #running: Promise<void>;
  #stopped = false;
  #expected = "tier1";
  #waiting: ((atMs: number) => void) | undefined;

  constructor(url: string) {
    this.#url = url;
    this.#running = this.#look();
  }

  /** Resolves with the time at which the first response of `placement` had come. */
  firstFrom(placement: string): Promise<number> {
    this.#expected = placement;
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#agent.destroy();
  }

  async #look(): Promise<void> {
    let lastMs = performance.now();
    while (!this.#stopped) {
      await delay(pauseMs);
      const placement = await this.#ask().catch(() => undefined);
      const nowMs = performance.now();
      this.looksMs.push(nowMs - lastMs);
      lastMs = nowMs;
      if (placement === undefined) this.failed += 1;
      else if (this.#waiting === undefined && placement !== this.#expected) this.wentBack += 1;
      else if (placement === this.#expected) {
        this.#waiting?.(nowMs);
        this.#waiting = undefined;
      }
    }
  }

  async #ask(): Promise<string | undefined> {
    const headers = { "X-Routing-Key": movedKey };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    get(this.#url, { agent: this.#agent, headers }, resolve).once("error", reject);
    const response = await promise;
    for await (const _ of response);
    return response.statusCode === 200 ? response.headers["x-routed-to"]?.toString() : undefined;
  }
}

/** The value that the share `q` of all values does not exceed, to a tenth. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
  return Math.round(value * 10) / 10;
}
