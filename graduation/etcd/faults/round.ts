// One round of one fault: clients write and read, requests pass, the fault happens, and afterwards three promises are
// checked. No acknowledged write is lost and every response fits one table; all routers run the newest table; no request
// through a router failed.

import { ask } from "../../../scripts/http-request.ts";
import { Random } from "../../../shared/fuzz/random.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { isNewer } from "../linearizability/history.ts";
import { linearize } from "../linearizability/linearize.ts";
import { Recorder } from "../linearizability/recorder.ts";
import { Traffic } from "./traffic.ts";
import { type ControlPlane, token, type World } from "./world.ts";
import { Writers, writeUntilStored } from "./writers.ts";

/** What a fault does to the world. Resolves when everything that it broke works again. */
export interface Fault {
  readonly name: string;
  readonly title: string;
  /** From when the recovery is counted. */
  readonly since: string;
  readonly run: (round: Round) => Promise<void>;
  /** It needs a world with a gate before etcd. @default false */
  readonly needsGate?: true;
}

export interface Counts {
  operations: number;
  stored: number;
  conflict: number;
  refused: number;
  unknown: number;
  requests: number;
}

/** Something that the control planes promise does not hold. */
export class BrokenRound extends Error {
  override readonly name = "BrokenRound";
}

const clients = 4;
/** Longer than a router's longest wait between two links after a short outage. */
const convergeDeadlineMs = 20_000;

export class Round {
  readonly world: World;
  readonly recorder: Recorder;
  readonly random: Random;
  readonly counts: Counts = { operations: 0, stored: 0, conflict: 0, refused: 0, unknown: 0, requests: 0 };
  /** From the strike until a write was stored through every control plane that runs. */
  writesMs: number | undefined;
  /** From the strike until every router ran the newest table. */
  routersMs: number | undefined;
  readonly #seed: number;
  #struckAtMs = 0;
  #writers: Writers | undefined;
  #traffic: Traffic | undefined;

  /** @param name Of no other round in this world: its writes are called by it. */
  constructor(world: World, name: string, seed: number) {
    this.world = world;
    this.#seed = seed;
    this.random = new Random(seed, 1_000);
    const { document } = world;
    this.recorder = new Recorder({ token, document, name, placement: "tier1" });
  }

  /** Starts a history, the clients that write it, and requests through the routers. */
  async begin(): Promise<void> {
    await this.recorder.begin(this.#anyControlPlane());
    this.#traffic = new Traffic(this.world.routers.map(({ url }) => url));
    this.write();
    await this.storedBy(clients);
  }

  /** Starts the clients, at the beginning or after a `pauseWriters`. */
  write(): void {
    const { recorder } = this;
    const { controlPlanes } = this.world;
    this.#writers = new Writers({ recorder, controlPlanes, clients, seed: this.#seed });
  }

  /** Resolves when no write is under way, and every control plane shows the last one. Requests go on. */
  async pauseWriters(): Promise<void> {
    await this.#writers?.stop();
    await this.converged(() => true);
  }

  /** Waits until this many more writes are stored. */
  async storedBy(writes: number): Promise<void> {
    const wanted = this.#stored() + writes;
    const what = `${writes} writes are stored`;
    await eventually(() => this.#stored() >= wanted, { what, deadlineMs: 30_000 });
  }

  /** From now on the recovery is counted. */
  strike(): void {
    this.#struckAtMs = performance.now();
    this.writesMs = undefined;
    this.routersMs = undefined;
  }

  /** Waits until a write that began after this call is stored through each of `controlPlanes`. Returns their versions. */
  async storedThrough(controlPlanes: readonly ControlPlane[]): Promise<readonly string[]> {
    const stored = controlPlanes.map((via) => writeUntilStored(this.recorder, `probe ${via.name}`, via));
    return (await Promise.all(stored)).map(({ version }) => version);
  }

  /** Waits until writes are stored through every control plane that runs, and every router has them; takes both times. */
  async recovered(): Promise<void> {
    const versions = await this.storedThrough(this.world.running);
    this.writesMs ??= performance.now() - this.#struckAtMs;
    const has = (version: string): boolean => versions.every((each) => isAtLeast(version, each));
    await eventually(
      async () =>
        (await this.world.routerViews()).every(({ version, connected }) => connected && has(version)),
      { what: "every router has what was written since", deadlineMs: convergeDeadlineMs, everyMs: 10 },
    );
    this.routersMs ??= performance.now() - this.#struckAtMs;
  }

  /** Waits until all routers run what all control planes show, and `isRight` accepts its version. */
  async converged(isRight: (version: string) => boolean): Promise<void> {
    await eventually(
      async () => {
        const shown = await Promise.all(this.world.running.map((each) => etagOf(each)));
        const views = await this.world.routerViews();
        const versions = new Set([...shown, ...views.map(({ version }) => version)]);
        const links = views.map(({ connected }) => connected);
        if (versions.size === 1 && isRight(shown[0] ?? "") && links.every(Boolean)) return true;
        throw new Error(`control planes show ${shown}, all have ${[...versions]}, connected: ${links}`);
      },
      { what: "all routers run the newest table", deadlineMs: convergeDeadlineMs, everyMs: 10 },
    );
    this.routersMs ??= performance.now() - this.#struckAtMs;
  }

  /** Ends the history and the requests, and checks what was promised. @throws BrokenRound */
  async settle(): Promise<void> {
    await this.#writers?.stop();
    const last = await writeUntilStored(this.recorder, "last", this.#anyControlPlane());
    // Before anything is waited for: a write that was lost may be what keeps the routers apart.
    this.#judge();
    await this.converged((version) => isAtLeast(version, last.version));
    for (const each of this.world.running) await this.recorder.get("reader", each);
    await this.#traffic?.stop();
    await this.#expectServed(last.marker);
    const { requests = 0, failures = [] } = this.#traffic ?? {};
    this.#count(requests);
    this.#traffic = undefined;
    if (failures.length > 0)
      throw new BrokenRound(
        `${failures.length} requests through routers failed: ${failures.slice(0, 5).join("; ")}`,
      );
    this.#judge();
  }

  #judge(): void {
    const verdict = linearize(this.recorder.history(), "per-control-plane");
    if (!verdict.ok) throw new BrokenRound(verdict.words);
  }

  /** Ends what still runs, whatever came of it. */
  async abandon(): Promise<void> {
    await this.#writers?.stop().catch(() => {});
    await this.#traffic?.stop();
  }

  /** Traffic goes by the table that the router shows. */
  async #expectServed(marker: string): Promise<void> {
    for (const { url } of this.world.routers) {
      const { headers } = await ask({ url, headers: { "X-Routing-Key": marker } });
      if (headers["x-cell"] !== "tier1")
        throw new BrokenRound(`${marker} was served by ${headers["x-cell"]}, after the router had its table`);
    }
  }

  #anyControlPlane(): ControlPlane {
    return this.random.pick(this.world.running);
  }

  #stored(): number {
    const { operations } = this.recorder.history();
    return operations.filter((each) => each.kind !== "get" && each.outcome.kind === "stored").length;
  }

  #count(requests: number): void {
    this.counts.requests += requests;
    for (const operation of this.recorder.history().operations) {
      this.counts.operations += 1;
      if (operation.kind !== "get") this.counts[operation.outcome.kind] += 1;
    }
  }
}

function isAtLeast(version: string, wanted: string): boolean {
  return version === wanted || isNewer(version, wanted);
}

async function etagOf({ url }: ControlPlane): Promise<string> {
  const { headers } = await ask({ url: `${url}/v1/routing`, timeoutMs: 2_000 });
  return headers.etag ?? "";
}
