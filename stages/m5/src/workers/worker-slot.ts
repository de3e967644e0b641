// One place for a worker: fills it, fills it again when the worker dies, and puts another one into it on request. At no moment
// does a place that could be filled stay empty, and no worker is left outside the places.

import type { Logger } from "pino";
import { nextDelayMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import type { FaultReport } from "../sockets/fault-report.ts";
import { CannotListenError, EarlyExitError, type WorkerProcess } from "./worker-process.ts";

export interface WorkerSlotOptions {
  readonly index: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  readonly report: FaultReport;
  /** Aborted when the router stops: nobody is started any more. */
  readonly stopping: AbortSignal;
  /** Makes a process and tells it its table. */
  readonly fork: (slot: WorkerSlot) => WorkerProcess;
  /** Resolves when the process listens. */
  readonly start: (process: WorkerProcess) => Promise<void>;
  /** The place was empty and is filled, or the other way round. */
  readonly onChange: () => void;
}

/** A worker that has lived this long was no false start. */
const provenAfterMs = 10_000;
/** How long the next place's replacement waits for a replaced worker to end. */
const retireWaitMs = 15_000;
/** Longer than a replaced worker waits for its requests and its clients: one that has not ended by then never will. */
const retiredDeadlineMs = 320_000;
const restartBackoff = { baseMs: 100, capMs: 10_000 };
/** A program that ends by itself this often in a row will do so again. */
const maxEarlyExits = 5;

export class WorkerSlot {
  readonly index: number;
  /** Who serves. */
  current: WorkerProcess | undefined;
  /** Workers that come up, and replaced ones that finish their requests. */
  readonly transitional = new Set<WorkerProcess>();
  readonly #options: WorkerSlotOptions;
  /** Deaths in a row before a worker listened for long enough. */
  #deaths = 0;
  /** The last change of this place: the next one waits for it, or two workers might end up in one place. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: WorkerSlotOptions) {
    this.#options = options;
    this.index = options.index;
  }

  /** Everyone who must hear what workers are told. */
  *everyone(): Iterable<WorkerProcess> {
    if (this.current !== undefined) yield this.current;
    yield* this.transitional;
  }

  /**
   * Fills the place for the first time. Goes on until it is filled: a worker that was killed, or was too slow on a busy
   * machine, is no reason to end a router. Rejects when no worker can listen, or none comes up by itself.
   */
  async begin(): Promise<void> {
    const { clock, random, stopping } = this.#options;
    for (let attempt = 0, exits = 0; ; attempt++) {
      try {
        await this.#inTurn(() => this.#fill());
        return;
      } catch (error) {
        if (error instanceof EarlyExitError) exits++;
        if (stopping.aborted || error instanceof CannotListenError || exits === maxEarlyExits) throw error;
        this.#tellNotStarted(error);
      }
      await clock.sleep(nextDelayMs(attempt, random, restartBackoff), stopping);
    }
  }

  /** Puts a new worker in the place of the present one, which then finishes. Rejects, and changes nothing, when it cannot. */
  async replace(): Promise<void> {
    const old = await this.#inTurn(() => this.#fill());
    if (old !== undefined) await this.#retire(old);
  }

  /** Empties the place, at once. */
  clear(): void {
    const { current } = this;
    this.current = undefined;
    current?.kill();
  }

  /** A worker has ended. One that was replaced, told to stop, or never listened has been seen to elsewhere. */
  onEnd(process: WorkerProcess, code: number | null, signal: string | null): void {
    const { stopping, logger, report, onChange } = this.#options;
    this.transitional.delete(process);
    if (this.current !== process || stopping.aborted) return;
    this.current = undefined;
    logger.error({ event: "worker-died", slot: this.index, code, signal });
    onChange();
    this.#revive().catch(report);
  }

  /** Returns the worker that served here before, which goes on: at no moment is there neither. */
  async #fill(): Promise<WorkerProcess | undefined> {
    const { fork, start, stopping, onChange } = this.#options;
    stopping.throwIfAborted();
    const forked = fork(this);
    // Told like the others while it comes up: what changes now must not pass it by.
    this.transitional.add(forked);
    try {
      await start(forked);
    } catch (error) {
      forked.kill();
      throw error;
    } finally {
      this.transitional.delete(forked);
    }
    // Only now: it may have died meanwhile.
    const old = this.current;
    this.current = forked;
    if (old === undefined) onChange();
    return old;
  }

  async #revive(): Promise<void> {
    const { clock, random, logger, stopping } = this.#options;
    while (!stopping.aborted) {
      const delayMs = nextDelayMs(this.#deaths, random, restartBackoff);
      this.#deaths += 1;
      try {
        await clock.sleep(delayMs, stopping);
        // A replacement may have filled the place meanwhile.
        await this.#inTurn(async () => this.current ?? (await this.#fill()));
      } catch (error) {
        if (stopping.aborted) return;
        this.#tellNotStarted(error);
        continue;
      }
      logger.info({ event: "worker-started", slot: this.index });
      const { current } = this;
      await clock.sleep(provenAfterMs, stopping).catch(() => {});
      if (this.current === current) this.#deaths = 0;
      return;
    }
  }

  /** While the old one finishes its requests, the two of them may let through twice the share of one. */
  async #retire(old: WorkerProcess): Promise<void> {
    const { clock } = this.#options;
    this.transitional.add(old);
    old.retire();
    const done = new AbortController();
    const ended = old.endsWithin(retiredDeadlineMs).then(() => {
      this.transitional.delete(old);
      done.abort();
    });
    // A download that takes minutes does not hold up the replacement of the next worker.
    await Promise.race([ended, clock.sleep(retireWaitMs, done.signal).catch(() => {})]);
  }

  #tellNotStarted(error: unknown): void {
    const cause = error instanceof Error ? error.message : String(error);
    this.#options.logger.error({ event: "worker-not-started", slot: this.index, cause });
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => {});
    return result;
  }
}
