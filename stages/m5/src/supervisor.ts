// Runs several workers on one port as one router: starts them, hands them tables and the results of health checks,
// replaces one that dies and, one at a time, all of them on request. It serves no request itself.

import cluster, { type Worker } from "node:cluster";
import { createServer } from "node:net";
import type { Logger } from "pino";
import { nextDelayMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { shareOf } from "./limit-shares.ts";
import type { TableStore } from "./table-store.ts";
import { send, WorkerCounts } from "./worker-counts.ts";
import type { FromWorker } from "./worker-messages.ts";

export interface SupervisorOptions {
  readonly workers: number;
  readonly host: string;
  readonly store: TableStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  readonly onBreaker: (placement: string, to: string, from: string) => void;
  /** Lines of its own log that this process could not write; each worker counts its own. */
  readonly linesDropped: () => number;
}

/** One worker's place: its share of the limits stays with the place when the worker is replaced. */
interface Slot {
  readonly index: number;
  worker: Worker | undefined;
  /** Workers that come up, and workers that have been replaced and finish their requests. */
  readonly beside: Set<Worker>;
  /** Deaths in a row before a worker listened for long enough. */
  deaths: number;
  /** The last change of this slot: the next one waits for it, or two workers might end up in one place. */
  turn: Promise<unknown>;
}

/** A worker that has lived this long was no false start. */
const provenAfterMs = 10_000;
/** A worker that does not listen by then is given up. */
const startDeadlineMs = 15_000;
/** Longer than a worker waits for its requests and its clients: one that has not ended by then never will. */
const endDeadlineMs = 15_000;
/** The same for one that has been replaced: it has more time. */
const retiredDeadlineMs = 320_000;
const restartBackoff = { baseMs: 100, capMs: 10_000 };
/** How often another free port is looked for, when somebody was faster. */
const portAttempts = 5;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: readonly Slot[];
  readonly #counts: WorkerCounts;
  readonly #stopping = new AbortController();
  #unhealthy: readonly string[] = [];
  #port = 0;
  #replacing: Promise<void> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#counts = new WorkerCounts(options.clock, options.linesDropped);
    this.#slots = Array.from({ length: options.workers }, (_, index) => ({
      index,
      worker: undefined,
      beside: new Set(),
      deaths: 0,
      turn: Promise.resolve(),
    }));
    // Tables hold maps, which JSON does not know. `NONE`: workers share the listening socket itself where `reusePort`
    // is off, so that it outlives each of them and a replaced worker's queue is not lost.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ serialization: "advanced" });
    options.store.subscribe(() => this.#everyWorker((worker, slot) => this.#sendTable(slot, worker)));
  }

  // #region start
  /** Starts all workers. Resolves with the port once all of them accept; rejects when one cannot. */
  async start(port: number): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      // Named to all workers: one that asks for any free port might get another one than the rest.
      this.#port = port === 0 ? await freePort(this.#options.host) : port;
      try {
        for (const slot of this.#slots) await this.#inTurn(slot, () => this.#fill(slot));
        return this.#port;
      } catch (error) {
        // A worker that ended because everything does is no fault.
        if (this.#stopping.signal.aborted) return await new Promise<never>(() => {});
        const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
        if (port !== 0 || !isTaken || attempt === portAttempts) throw error;
      }
    }
  }

  /** Puts a new worker into a slot once it accepts: at no moment is there neither. Returns the old one, which goes on. */
  async #fill(slot: Slot): Promise<Worker | undefined> {
    this.#stopping.signal.throwIfAborted();
    const worker = cluster.fork();
    // An error of the channel or of a failed start; the exit that follows, or the deadline, is what counts.
    worker.on("error", () => {});
    worker.once("exit", (code, signal) => this.#onExit(slot, worker, code, signal));
    try {
      await this.#bringUp(slot, worker);
    } catch (error) {
      worker.process.kill("SIGKILL");
      throw error;
    }
    // Only now: it may have died meanwhile.
    const old = slot.worker;
    slot.worker = worker;
    return old;
  }

  async #bringUp(slot: Slot, worker: Worker): Promise<void> {
    const { clock, onBreaker } = this.#options;
    this.#counts.add(worker);
    const done = new AbortController();
    const listening = new Promise<void>((resolve, reject) => {
      worker.on("message", (message: FromWorker) => {
        if (message.type === "listening") resolve();
        if (message.type === "failed")
          reject(Object.assign(new Error(message.message), { code: message.code }));
        if (message.type === "breaker") onBreaker(message.placement, message.to, message.from);
      });
      worker.once("exit", (code, signal) =>
        reject(new Error(`A worker ended with ${signal ?? code} before it listened.`)),
      );
      // Asked for when it can hear: what it needs for its first request comes before.
      worker.once("online", () => {
        this.#sendTable(slot, worker);
        send(worker, { type: "unhealthy", placements: this.#unhealthy });
        send(worker, { type: "listen", port: this.#port });
      });
      clock
        .sleep(startDeadlineMs, done.signal)
        .then(() => reject(new Error("A worker did not listen in time.")))
        .catch(() => {});
    });
    // Told like the others while it comes up: what changes now must not pass it by.
    slot.beside.add(worker);
    await listening.finally(() => {
      slot.beside.delete(worker);
      done.abort();
    });
  }
  // #endregion start

  // #region replace
  /** Replaces all workers, one at a time. A second call waits for the first. Never rejects. */
  replaceAll(): Promise<void> {
    this.#replacing = this.#replacing.then(async () => {
      let replaced = 0;
      for (const slot of this.#slots) {
        if (this.#stopping.signal.aborted) return;
        try {
          const old = await this.#inTurn(slot, () => this.#fill(slot));
          replaced += 1;
          if (old !== undefined) await this.#retire(slot, old);
        } catch (error) {
          // The old one goes on: a new one that cannot start is no reason to lose it.
          const cause = (error as Error).message;
          this.#options.logger.error({ event: "worker-not-replaced", slot: slot.index, cause });
        }
      }
      this.#options.logger.info({ event: "workers-replaced", workers: replaced });
    });
    return this.#replacing;
  }

  /** While the old one finishes its requests, the two of them may let through twice the share of one. */
  async #retire(slot: Slot, old: Worker): Promise<void> {
    slot.beside.add(old);
    send(old, { type: "retire" });
    const done = new AbortController();
    const ended = this.#ended(old, retiredDeadlineMs).then(() => {
      slot.beside.delete(old);
      done.abort();
    });
    // A download that takes minutes does not hold up the replacement of the next worker.
    await Promise.race([ended, this.#options.clock.sleep(endDeadlineMs, done.signal).catch(() => {})]);
  }

  #onExit(slot: Slot, worker: Worker, code: number | null, signal: string | null): void {
    // One that was replaced, told to stop, or never listened has been seen to elsewhere.
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
        // A replacement may have filled the place meanwhile.
        await this.#inTurn(slot, async () => slot.worker ?? (await this.#fill(slot)));
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

  #inTurn<T>(slot: Slot, task: () => Promise<T>): Promise<T> {
    const result = slot.turn.then(task);
    slot.turn = result.catch(() => {});
    return result;
  }
  // #endregion replace

  /** Tells every worker which placements do not pass their health checks. */
  setUnhealthy(placements: readonly string[]): void {
    this.#unhealthy = placements;
    this.#everyWorker((worker) => send(worker, { type: "unhealthy", placements }));
  }

  /** The counts of all workers, those that have ended included, in the text format of Prometheus. */
  metrics(): Promise<string> {
    return this.#counts.text();
  }

  /** Lets every worker finish its requests, and resolves when all have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(
      workers.map((worker) => {
        const ended = this.#ended(worker);
        worker.process.kill("SIGTERM");
        return ended;
      }),
    );
  }

  /** Resolves when the worker has ended, by itself or, after the deadline, by force. */
  async #ended(worker: Worker, deadlineMs = endDeadlineMs): Promise<void> {
    if (worker.isDead()) return;
    const done = new AbortController();
    this.#options.clock
      .sleep(deadlineMs, done.signal)
      .then(() => worker.process.kill("SIGKILL"))
      .catch(() => {});
    await new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    done.abort();
  }

  #sendTable(slot: Slot, worker: Worker): void {
    const table = this.#options.store.current()?.table;
    if (table === undefined) return;
    send(worker, { type: "table", table: shareOf(table, { index: slot.index, of: this.#slots.length }) });
  }

  #everyWorker(action: (worker: Worker, slot: Slot) => void): void {
    for (const slot of this.#slots) {
      if (slot.worker !== undefined) action(slot.worker, slot);
      for (const worker of slot.beside) action(worker, slot);
    }
  }
}

/** A port on which nobody listens; somebody may, before it is used. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
