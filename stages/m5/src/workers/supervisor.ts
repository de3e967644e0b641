// Runs several workers on one port as one router: hands them tables and the results of health checks, replaces one that dies or
// hangs and, one at a time, all of them on request. It serves no request itself. One worker's life is in `worker-process.ts`,
// one place's in `worker-slot.ts`.

import cluster from "node:cluster";
import { createServer } from "node:net";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { RoutingTable } from "../routing-table.ts";
import { contained, type FaultReport } from "../sockets/fault-report.ts";
import { Ticker } from "../sockets/ticker.ts";
import type { TableStore } from "../table-store.ts";
import type { Share } from "./limit-shares.ts";
import { send, WorkerCounts } from "./worker-counts.ts";
import type { FromWorker } from "./worker-messages.ts";
import { WorkerProcess } from "./worker-process.ts";
import { WorkerSlot } from "./worker-slot.ts";

export interface SupervisorOptions {
  readonly workers: number;
  readonly host: string;
  readonly store: TableStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  readonly report: FaultReport;
  readonly onBreaker: (placement: string, to: string, from: string) => void;
  /** Lines of its own log that this process could not write; each worker counts its own. */
  readonly linesDropped: () => number;
}

/** How often another free port is looked for, when somebody was faster. */
const portAttempts = 5;

/**
 * Keeps a worker's young generation small: half of it, in MiB. What is in use at one moment, some kilobytes for each request
 * under way, fits many times. By itself V8 would let it grow to 16 and more.
 * @see https://nodejs.org/api/cli.html#--max-semi-space-sizesize-in-mib
 */
const youngGeneration = "--max-semi-space-size=4";

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: readonly WorkerSlot[];
  readonly #counts: WorkerCounts;
  readonly #ticker: Ticker;
  readonly #stopping = new AbortController();
  #unhealthy: readonly string[] = [];
  #port = 0;
  #isStarted = false;
  /** The replacement of all workers that is under way, and whether it was asked for again meanwhile. */
  #replacing: Promise<void> | undefined;
  #replacesAgain = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#counts = new WorkerCounts(options.clock, options.linesDropped, options.report);
    this.#ticker = new Ticker(options.clock);
    this.#slots = Array.from({ length: options.workers }, (_, index) => this.#slot(index));
    // Tables hold maps, which JSON does not know. `NONE`: workers share the listening socket itself where `reusePort`
    // is off, so that it outlives each of them and a replaced worker's queue is not lost.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    // The supervisor's own arguments come last, so that they win.
    cluster.setupPrimary({ serialization: "advanced", execArgv: [youngGeneration, ...process.execArgv] });
    options.store.subscribe(contained(({ table }) => this.#tellEveryone(table), options.report));
    void this.#ticker.run(this.#stopping.signal);
  }

  // #region start
  /** Starts all workers. Resolves with the port once all of them accept; rejects when one cannot. */
  async start(port: number): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      // Named to all workers: one that asks for any free port might get another one than the rest.
      this.#port = port === 0 ? await freePort(this.#options.host) : port;
      try {
        for (const slot of this.#slots) await slot.begin();
        this.#isStarted = true;
        return this.#port;
      } catch (error) {
        // A worker that ended because everything does is no fault.
        if (this.#stopping.signal.aborted) return await new Promise<never>(() => {});
        const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
        if (port !== 0 || !isTaken || attempt === portAttempts) throw error;
        // Those that listen do so at the port that the others cannot have.
        for (const slot of this.#slots) slot.clear();
      }
    }
  }

  #slot(index: number): WorkerSlot {
    const { logger, clock, random, report } = this.#options;
    return new WorkerSlot({
      index,
      logger,
      clock,
      random,
      report,
      stopping: this.#stopping.signal,
      fork: (slot) => this.#fork(slot),
      start: (forked) => forked.start({ slot: index, port: this.#port, unhealthy: () => this.#unhealthy }),
      onChange: () => this.#tellEveryone(undefined),
    });
  }

  #fork(slot: WorkerSlot): WorkerProcess {
    const { logger, clock, report, store } = this.#options;
    const forked = new WorkerProcess({
      clock,
      ticker: this.#ticker,
      report,
      onMessage: (message) => this.#onMessage(message),
      onHung: () => logger.error({ event: "worker-hung", slot: slot.index }),
      onEnd: (code, signal) => slot.onEnd(forked, code, signal),
    });
    this.#counts.add(forked.worker);
    forked.tell(store.current()?.table, this.#shareOf(slot));
    return forked;
  }
  // #endregion start

  // #region replace
  /**
   * Replaces all workers, one at a time. Asked again meanwhile, however often, it does so once more afterwards. Before all
   * have started there is nobody to replace: those that come up are new. Never rejects.
   */
  replaceAll(): Promise<void> {
    if (!this.#isStarted) return Promise.resolve();
    this.#replacesAgain = true;
    this.#replacing ??= this.#replaceUntilDone().finally(() => {
      this.#replacing = undefined;
    });
    return this.#replacing;
  }

  async #replaceUntilDone(): Promise<void> {
    while (this.#replacesAgain && !this.#stopping.signal.aborted) {
      this.#replacesAgain = false;
      let replaced = 0;
      for (const slot of this.#slots) {
        if (this.#stopping.signal.aborted) return;
        try {
          await slot.replace();
          replaced += 1;
        } catch (error) {
          // The old one goes on: a new one that cannot start is no reason to lose it.
          const cause = error instanceof Error ? error.message : String(error);
          this.#options.logger.error({ event: "worker-not-replaced", slot: slot.index, cause });
        }
      }
      this.#options.logger.info({ event: "workers-replaced", workers: replaced });
    }
  }
  // #endregion replace

  /** Tells every worker which placements do not pass their health checks. */
  setUnhealthy(placements: readonly string[]): void {
    this.#unhealthy = placements;
    for (const slot of this.#slots)
      for (const { worker } of slot.everyone()) send(worker, { type: "unhealthy", placements });
  }

  /** Tells every worker another table, or only its present share where `table` is undefined. */
  #tellEveryone(table: RoutingTable | undefined): void {
    for (const slot of this.#slots) for (const each of slot.everyone()) each.tell(table, this.#shareOf(slot));
  }

  /** Limits are divided among the workers that serve, and the one in `slot`: what a dead one let through, the others do. */
  #shareOf(slot: WorkerSlot): Share {
    const sharing = this.#slots.filter((each) => each.current !== undefined || each === slot);
    return { index: sharing.indexOf(slot), of: sharing.length };
  }

  #onMessage(message: FromWorker): void {
    if (message.type === "breaker") this.#options.onBreaker(message.placement, message.to, message.from);
  }

  /** The counts of all workers, those that have ended included, in the text format of Prometheus. */
  metrics(): Promise<string> {
    return this.#counts.text();
  }

  /** Lets every worker finish its requests. Resolves when all have ended, in `deadlineMs` or by force. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    const everyone = this.#slots.flatMap((slot) => [...slot.everyone()]);
    await Promise.all(
      everyone.map((each) => {
        each.worker.process.kill("SIGTERM");
        return each.endsWithin(deadlineMs);
      }),
    );
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
