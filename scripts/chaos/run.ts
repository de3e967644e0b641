// One run: cells, a router between them, hostile clients on one side and clean ones beside them, and the judgement.

import { eventually, within } from "../../shared/testkit/eventually.ts";
import { UsageError } from "../command-line.ts";
import { type CellName, cellNames, cellsOf, type Table } from "../load/tables.ts";
import {
  type AfterFault,
  recoveryFaults,
  resourceFaults,
  settledResources,
  stopFaults,
} from "./aftermath.ts";
import { ChaosCell, shownBy } from "./cells.ts";
import { CleanLoad } from "./clean-load.ts";
import { FaultLog } from "./faults.ts";
import type { Transcript } from "./hostile-client.ts";
import { Lanes, type Port } from "./lanes.ts";
import { Plans } from "./plan.ts";
import { Pulse } from "./pulse.ts";
import { type Resources, ResourceWatch } from "./resources.ts";
import { type RouterUnderTest, startRouterUnderTest } from "./router.ts";
import { deathOf, type RunOptions, type RunResult, type SoFar, stallOf, type Told } from "./run-result.ts";
import { chaosTable, cleanKeys, hostileCells } from "./table.ts";
import { numberOf, tagOf } from "./tags.ts";
import { Witness } from "./witness.ts";

/** Hostile exchanges that are under way at the end may finish that long. */
const lastMs = 1_500;
const latestKept = 800;
/** Once the hostile clients have gone, a router has little else to do. */
const lastPulseMs = 6_000;

/** What a run may take beside its length: starting, coming back twice, and a stop. None of its waits is longer. */
const besideMs = 240_000;
const closeMs = 20_000;

/** @throws Error when it does not come to its end: whatever the router does, and whatever is wrong here */
export async function runChaos(options: RunOptions): Promise<RunResult> {
  const run = new Run(options);
  try {
    await run.open();
    return await within(run.judge(), options.seconds * 1000 + besideMs, "the end of the run");
  } finally {
    await within(run.close(), closeMs, "the cells and the router are closed");
    options.signal.throwIfAborted();
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #faults = new FaultLog();
  readonly #plans: Plans;
  readonly #witness: Witness;
  readonly #cells: readonly ChaosCell[];
  #table: Table | undefined;
  #router: RouterUnderTest | undefined;

  constructor(options: RunOptions) {
    const { seed } = options;
    this.#options = options;
    this.#plans = new Plans(seed);
    this.#witness = new Witness({
      seed,
      plans: this.#plans,
      cellsOf: (key) => (this.#table === undefined ? [] : cellsOf(this.#table, key)),
      now,
      violated: (fault) => this.#faults.add(fault),
    });
    const witness = this.#witness;
    this.#cells = cellNames.map(
      (name, index) =>
        new ChaosCell({
          name,
          index,
          seed,
          isHostile: hostileCells.has(name),
          witness,
          healthPath: healthPath(seed),
        }),
    );
  }

  async open(): Promise<void> {
    const { ports, level, target, seed } = this.#options;
    for (const cell of this.#cells) await cell.open(ports[cell.name]);
    const urls = Object.fromEntries(this.#cells.map((cell) => [cell.name, cell.url])) as Record<
      CellName,
      string
    >;
    this.#table = chaosTable(level, urls, healthPath(seed));
    this.#router = await startRouterUnderTest(target, this.#table.document, urls);
  }

  async close(): Promise<void> {
    await this.#router?.close();
    await Promise.all(this.#cells.map((cell) => cell.close()));
  }

  async judge(): Promise<RunResult> {
    const { seed, withAftermath, seconds: length, cleanClients, recoveryMs } = this.#options;
    const [router, table, witness] = [this.#router, this.#table, this.#witness];
    if (router === undefined || table === undefined) throw new Error("The run has not been opened");
    const { pid } = router;
    this.#setHostile(false);
    const absent = await recoveryFaults(router.url, table, seed, recoveryMs);
    this.#tell(absent);
    // It serves nobody, and nobody hostile was there yet.
    const isSilent = absent.length === new Set(cleanKeys).size;
    const before = pid === undefined ? undefined : await settledResources(pid, this.#cells, () => false, 500);
    this.#setHostile(true);

    const watch = new ResourceWatch(pid, length * 1000, (gone) => this.#processGone(gone));
    let isDead = false;
    const hasEnded = () => isDead || router.hasEnded;
    const violated = this.#faults.add.bind(this.#faults);
    const clean = new CleanLoad({ router: router.url, table, seed, witness, hasEnded, violated });
    const over = new AbortController();
    const lanes = this.#lanes(router, over.signal);
    const startedAtMs = now();
    watch.start();
    if (!isSilent) clean.start(cleanClients);
    const soFar = () => ({
      faults: this.#faults.groups(),
      connections: lanes.connections,
      clean: clean.tally,
    });
    const isStalled = isSilent || (await this.#hostilities(lanes, router, over, soFar));
    // Half of a run would be judged wrongly.
    this.#options.signal.throwIfAborted();
    const lengthMs = now() - startedAtMs;
    isDead = isStalled;
    const death = isStalled ? stallOf(router, lengthMs) : deathOf(router, lengthMs);
    const latest = lanes.latest().slice(0, latestKept);

    for (const cell of this.#cells) await cell.setMode("up");
    this.#setHostile(false);
    const isJudged = withAftermath && death === undefined;
    if (isJudged) this.#tell(await recoveryFaults(router.url, table, seed, recoveryMs));
    // Nobody waits for responses that will not come.
    if (death !== undefined) await router.close();
    await clean.stop();
    watch.close();
    const after = isJudged ? await this.#lookAfter(router, before, watch) : undefined;
    const told = (each: Transcript): Told => ({ ...each, deeds: witness.deedsFor(each.number) });
    return {
      faults: this.#faults.groups(),
      death: death ?? (after?.stopMs === undefined ? deathOf(router, lengthMs) : undefined),
      connections: lanes.connections,
      byKind: lanes.byKind,
      behaviours: shownBy(this.#cells),
      requestsAtCells: witness.arrivals,
      clean: clean.tally,
      before,
      peak: watch.peak,
      after: after?.resources,
      stopMs: after?.stopMs,
      seconds: lengthMs / 1000,
      latest: latest.map(told),
      guilty: this.#faults
        .connections()
        .flatMap((number) => lanes.transcriptOf(number) ?? [])
        .map(told),
      startedAtMs,
    };
  }

  #lanes(router: RouterUnderTest, signal: AbortSignal): Lanes {
    const { seed, kinds } = this.#options;
    // No plan would ever have a client that can be made.
    if (router.adminUrl === undefined && kinds.size === 1 && kinds.has("admin"))
      throw new UsageError("this router has no admin port: no kind of client is left");
    return new Lanes({
      seed,
      plans: this.#plans,
      cells: this.#cells,
      witness: this.#witness,
      kinds,
      now,
      data: portOf(router.url),
      admin: router.adminUrl === undefined ? undefined : portOf(router.adminUrl),
      isNamed: (number) => this.#faults.connections().includes(number),
      violated: (fault) => this.#faults.add(fault),
      signal,
    });
  }

  /**
   * Until the time is up, the run has come far enough, every connection has been made, or the router has ended. Whether
   * it no longer responds.
   */
  async #hostilities(
    lanes: Lanes,
    router: RouterUnderTest,
    over: AbortController,
    soFar: () => SoFar,
  ): Promise<boolean> {
    const { sequence, seconds, connections, lanes: width, signal, seed } = this.#options;
    const { isEnough = () => false } = this.#options;
    const pulse = new Pulse(router.url, seed);
    let isStalled = false;
    const ended = Promise.race([
      router.ended,
      pulse.stops(over.signal).then(() => {
        isStalled = true;
      }),
    ]);
    const work = sequence === undefined ? lanes.run(width, connections) : lanes.replay(sequence);
    const enough = eventually(() => signal.aborted || over.signal.aborted || isEnough(soFar()), {
      what: "",
      deadlineMs: seconds * 1000,
      everyMs: 50,
    });
    await Promise.race([work, enough.catch(() => {}), ended]);
    lanes.finish();
    // What is under way may end as planned.
    if (!router.hasEnded && !isStalled)
      await Promise.race([work, aborted(AbortSignal.timeout(lastMs)), ended]);
    over.abort();
    await work;
    return isStalled || (!router.hasEnded && !(await pulse.isFelt(lastPulseMs)) && !router.hasEnded);
  }

  async #lookAfter(router: RouterUnderTest, before: Resources | undefined, watch: ResourceWatch) {
    const { seed, seconds } = this.#options;
    let resources: Resources | undefined;
    if (router.pid !== undefined && before !== undefined) {
      const found = await resourceFaults(router.pid, this.#cells, before, watch, this.#options);
      resources = found.after;
      this.#tell(found.faults);
    }
    if (router.hasEnded) return { resources, stopMs: undefined };
    const hasArrived = (id: string) => this.#witness.hasArrived(id);
    const { stopMs, faults } = await stopFaults(router, seed, hasArrived, seconds >= 30);
    this.#tell(faults);
    return { resources, stopMs };
  }

  #setHostile(isHostile: boolean): void {
    for (const cell of this.#cells) cell.isHostile = isHostile && hostileCells.has(cell.name);
  }

  #processGone(pid: number): void {
    if (this.#router?.hasEnded === true) return;
    this.#tell([{ rule: "8 survival: a process of the router has ended", detail: `process ${pid}` }]);
  }

  #tell(faults: readonly AfterFault[]): void {
    for (const fault of faults) this.#faults.add({ ...fault, connection: undefined });
  }
}

function now(): number {
  return performance.now();
}

/** A path that no client can guess: only the router's own health checks ask for it. */
function healthPath(seed: number): string {
  return `/health-${numberOf(tagOf(seed, { connection: 0, request: 0 }, "forged")).toString(36)}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function portOf(url: string): Port {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 80) };
}
