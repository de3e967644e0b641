// Runs several workers on one port as one router: starts them, hands them tables and the results of health checks,
// replaces one that dies and, one at a time, all of them on request. It serves no request itself.

import cluster, { type Worker } from "node:cluster";
import type { Logger } from "pino";
import { AggregatorRegistry } from "prom-client";
import { nextDelayMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { shareOf } from "./limit-shares.ts";
import type { TableStore } from "./table-store.ts";
import type { FromWorker, MetricJson, ToWorker } from "./worker-messages.ts";

export interface SupervisorOptions {
  readonly workers: number;
  readonly store: TableStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  readonly onBreaker: (placement: string, to: string, from: string) => void;
}

/** One worker's place: its share of the limits stays with the place when the worker is replaced. */
interface Slot {
  readonly index: number;
  worker: Worker | undefined;
  /** Deaths in a row before a worker listened for long enough. */
  deaths: number;
}

/** A worker that has lived this long was no false start. */
const provenAfterMs = 10_000;
/** A worker that does not listen by then is given up. */
const startDeadlineMs = 15_000;
const metricsDeadlineMs = 1_000;
const restartBackoff = { baseMs: 100, capMs: 10_000 };

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: readonly Slot[];
  readonly #stopping = new AbortController();
  #unhealthy: readonly string[] = [];
  #port = 0;
  #replacing: Promise<void> = Promise.resolve();
  #metricsId = 0;
  /** What workers that have ended had counted. */
  #past: readonly MetricJson[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.workers }, (_, index) => ({
      index,
      worker: undefined,
      deaths: 0,
    }));
    // Tables hold maps, which JSON does not know. `NONE`: workers share the listening socket itself where `reusePort`
    // is off, so that it outlives each of them and a replaced worker's queue is not lost.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ serialization: "advanced" });
    options.store.subscribe(() => this.#everyWorker((slot) => this.#sendTable(slot, slot.worker)));
  }

  // #region start
  /** Starts all workers. Resolves with the port once all of them accept; rejects when one cannot. */
  async start(port: number): Promise<number> {
    this.#port = port;
    for (const slot of this.#slots) await this.#fill(slot);
    return this.#port;
  }

  /** Puts a new worker into a slot. The old one, if any, drains once the new one accepts: no moment without either. */
  async #fill(slot: Slot): Promise<void> {
    const old = slot.worker;
    const worker = cluster.fork();
    try {
      this.#port = await this.#bringUp(slot, worker);
    } catch (error) {
      worker.process.kill("SIGKILL");
      throw error;
    }
    slot.worker = worker;
    worker.once("exit", (code, signal) => this.#onExit(slot, worker, code, signal));
    if (old === undefined) return;
    const gone = once(old, "exit");
    send(old, { type: "retire" });
    await gone;
  }

  async #bringUp(slot: Slot, worker: Worker): Promise<number> {
    const { clock, onBreaker } = this.#options;
    await once(worker, "online");
    this.#sendTable(slot, worker);
    send(worker, { type: "unhealthy", placements: this.#unhealthy });
    const listening = new Promise<number>((resolve, reject) => {
      worker.on("message", (message: FromWorker) => {
        if (message.type === "listening") resolve(message.port);
        if (message.type === "failed")
          reject(Object.assign(new Error(message.message), { code: message.code }));
        if (message.type === "final-metrics") void this.#keepCounts(message.json);
        if (message.type === "breaker") onBreaker(message.placement, message.to, message.from);
      });
      worker.once("exit", (code) => reject(new Error(`A worker ended with ${code} before it listened.`)));
    });
    send(worker, { type: "listen", port: this.#port });
    const done = new AbortController();
    const late = clock.sleep(startDeadlineMs, done.signal).then(() => {
      throw new Error("A worker did not listen in time.");
    });
    try {
      return await Promise.race([listening, late]);
    } finally {
      late.catch(() => {});
      done.abort();
    }
  }
  // #endregion start

  // #region replace
  /** Replaces all workers, one at a time. A second call waits for the first. */
  replaceAll(): Promise<void> {
    this.#replacing = this.#replacing.then(async () => {
      for (const slot of this.#slots) {
        if (this.#stopping.signal.aborted) return;
        await this.#fill(slot).catch((error: Error) =>
          // The old one goes on: a new one that cannot start is no reason to lose it.
          this.#options.logger.error({
            event: "worker-not-replaced",
            slot: slot.index,
            cause: error.message,
          }),
        );
      }
      this.#options.logger.info({ event: "workers-replaced", workers: this.#slots.length });
    });
    return this.#replacing;
  }

  #onExit(slot: Slot, worker: Worker, code: number | null, signal: string | null): void {
    // One that was replaced, or told to stop, has ended as it should.
    if (slot.worker !== worker || this.#stopping.signal.aborted) return;
    slot.worker = undefined;
    this.#options.logger.error({ event: "worker-died", slot: slot.index, code, signal });
    void this.#revive(slot);
  }

  async #revive(slot: Slot): Promise<void> {
    const { clock, random, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const delayMs = nextDelayMs(slot.deaths, random, restartBackoff);
      slot.deaths += 1;
      try {
        await clock.sleep(delayMs, signal);
        await this.#fill(slot);
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ event: "worker-not-started", slot: slot.index, cause: (error as Error).message });
        continue;
      }
      logger.info({ event: "worker-started", slot: slot.index });
      const { worker } = slot;
      await clock.sleep(provenAfterMs, signal).catch(() => {});
      if (slot.worker === worker) slot.deaths = 0;
      return;
    }
  }
  // #endregion replace

  /** Tells every worker which placements do not pass their health checks. */
  setUnhealthy(placements: readonly string[]): void {
    this.#unhealthy = placements;
    this.#everyWorker(({ worker }) => send(worker, { type: "unhealthy", placements }));
  }

  /** The counts of all workers, those that have ended included, in the text format of Prometheus. */
  async metrics(): Promise<string> {
    const id = ++this.#metricsId;
    const answers = await Promise.all(this.#slots.map(({ worker }) => this.#metricsOf(worker, id)));
    return AggregatorRegistry.aggregate([this.#past, ...answers]).metrics();
  }

  /** A replaced worker takes its gauges along; what it counted stays, or every replacement would look like a reset. */
  async #keepCounts(json: readonly MetricJson[]): Promise<void> {
    const counts = json.filter(({ type }) => type !== "gauge");
    this.#past = await AggregatorRegistry.aggregate([this.#past, counts]).getMetricsAsJSON();
  }

  async #metricsOf(worker: Worker | undefined, id: number): Promise<MetricJson[]> {
    if (worker === undefined) return [];
    const done = new AbortController();
    const answer = new Promise<MetricJson[]>((resolve) => {
      const listen = (message: FromWorker): void => {
        if (message.type !== "metrics" || message.id !== id) return;
        worker.off("message", listen);
        resolve(message.json);
      };
      worker.on("message", listen);
      done.signal.addEventListener("abort", () => worker.off("message", listen));
    });
    send(worker, { type: "metrics", id });
    const late = this.#options.clock.sleep(metricsDeadlineMs, done.signal).then(
      () => [],
      () => [],
    );
    const json = await Promise.race([answer, late]);
    done.abort();
    return json;
  }

  /** Lets every worker finish its requests, and resolves when all have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(Object.values(cluster.workers ?? {}).map((worker) => worker && ended(worker)));
  }

  #sendTable(slot: Slot, worker: Worker | undefined): void {
    const table = this.#options.store.current()?.table;
    if (table === undefined) return;
    send(worker, { type: "table", table: shareOf(table, { index: slot.index, of: this.#slots.length }) });
  }

  #everyWorker(action: (slot: Slot) => void): void {
    for (const slot of this.#slots) action(slot);
  }
}

function send(worker: Worker | undefined, message: ToWorker): void {
  // A worker that is just dying is noticed by its exit.
  if (worker?.isConnected()) worker.send(message, () => {});
}

function ended(worker: Worker): Promise<void> {
  const exit = once(worker, "exit");
  worker.process.kill("SIGTERM");
  return exit;
}

function once(worker: Worker, event: "online" | "exit"): Promise<void> {
  if (event === "exit" && worker.isDead()) return Promise.resolve();
  return new Promise((resolve) => worker.once(event, () => resolve()));
}
