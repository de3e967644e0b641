// One worker as its supervisor sees it: a process that comes up, is told its table, shows that it lives, and ends in time,
// whatever it does. Which place it fills, and what follows when it ends, is decided in `worker-slot.ts`.

import cluster, { type Worker } from "node:cluster";
import type { Clock } from "../clock.ts";
import type { RoutingTable } from "../routing-table.ts";
import { contained, type FaultReport } from "../sockets/fault-report.ts";
import { never, type Ticker, type Timed } from "../sockets/ticker.ts";
import type { Share } from "./limit-shares.ts";
import { send } from "./worker-counts.ts";
import type { FromWorker } from "./worker-messages.ts";

export interface WorkerProcessOptions {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly report: FaultReport;
  /** What is not about the process itself. */
  readonly onMessage: (message: FromWorker) => void;
  /** It has not shown that it lives for too long, and is being killed. */
  readonly onHung: () => void;
  /** It has ended, by itself or not. */
  readonly onEnd: (code: number | null, signal: string | null) => void;
}

/** What a new worker needs for its first request. */
export interface FirstWords {
  readonly slot: number;
  readonly port: number;
  readonly unhealthy: () => readonly string[];
}

/** A worker that does not listen by then is given up. */
const startDeadlineMs = 15_000;
/** How often a worker is asked whether it lives, and how many times it may leave that open. */
const beatMs = 1_000;
const maxMissedBeats = 10;
/** From the signal that nobody can ignore to where nobody waits for the end any more. */
const killedDeadlineMs = 250;

/** A worker cannot listen, and another one could not either, such as at a port that is taken. */
export class CannotListenError extends Error {
  override readonly name = "CannotListenError";
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** A worker has ended by itself before it listened. */
export class EarlyExitError extends Error {
  override readonly name = "EarlyExitError";
}

export class WorkerProcess implements Timed {
  readonly worker: Worker;
  /** When it must listen; later, when it is asked again whether it lives. By the ticker: a paused supervisor kills nobody. */
  deadlineMs = never;
  readonly #options: WorkerProcessOptions;
  readonly #ended = Promise.withResolvers<void>();
  #hasEnded = false;
  #starting: PromiseWithResolvers<void> | undefined;
  #missedBeats = 0;
  #share: Share | undefined;
  /** What is to be told once the last table has been applied. Newer ones take its place: a slow worker skips tables. */
  #next: { table: RoutingTable | undefined; share: Share } | undefined;
  #isTold = true;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.worker = cluster.fork();
    const contain = <Args extends unknown[]>(call: (...args: Args) => void) =>
      contained(call, options.report);
    this.worker.on(
      "message",
      contain((message: FromWorker) => this.#onMessage(message)),
    );
    // Of the channel, or of a start that has failed: then no exit follows.
    this.worker.on(
      "error",
      contain((error: Error) => {
        if (this.worker.process.pid === undefined) this.#end(error, null, null);
      }),
    );
    this.worker.once(
      "exit",
      contain((code: number | null, signal: string | null) => {
        const words = `A worker ended with ${signal ?? code} before it listened.`;
        this.#end(signal === null ? new EarlyExitError(words) : new Error(words), code, signal);
      }),
    );
  }

  /** Resolves once the worker listens; rejects when it does not. `tell` it its table before. */
  start({ slot, port, unhealthy }: FirstWords): Promise<void> {
    const { ticker } = this.#options;
    this.deadlineMs = ticker.deadlineIn(startDeadlineMs);
    ticker.add(this);
    this.#starting = Promise.withResolvers();
    // Asked for when it can hear: what it needs for its first request comes before.
    this.worker.once("online", () => {
      this.#isTold = false;
      this.#tellNext();
      send(this.worker, { type: "unhealthy", placements: unhealthy() });
      send(this.worker, { type: "listen", port, slot });
    });
    return this.#starting.promise;
  }

  /** Tells the worker another table, or only another share of its limits, once it has applied the last one. */
  tell(table: RoutingTable | undefined, share: Share): void {
    const isSame = this.#share?.index === share.index && this.#share.of === share.of;
    if (table === undefined && isSame) return;
    this.#share = share;
    this.#next = { table: table ?? this.#next?.table, share };
    if (!this.#isTold) this.#tellNext();
  }

  /** Another one serves in its place. */
  retire(): void {
    send(this.worker, { type: "retire" });
  }

  onDeadline(): void {
    if (this.#starting !== undefined) return this.#fail(new Error("A worker did not listen in time."));
    if (this.#missedBeats === maxMissedBeats) {
      this.deadlineMs = never;
      contained(this.#options.onHung, this.#options.report)();
      return this.kill();
    }
    this.#missedBeats++;
    this.deadlineMs = this.#options.ticker.deadlineIn(beatMs);
    send(this.worker, { type: "beat" });
  }

  /** Ends the process, also one that is stopped or hangs. */
  kill(): void {
    if (!this.#hasEnded) this.worker.process.kill("SIGKILL");
  }

  /** Resolves when the process has ended, by itself or, after the deadline, by force. */
  async endsWithin(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    const done = new AbortController();
    const byForce = async (): Promise<void> => {
      await clock.sleep(deadlineMs, done.signal);
      this.kill();
      await clock.sleep(killedDeadlineMs, done.signal);
    };
    await Promise.race([this.#ended.promise, byForce().catch(() => {})]);
    done.abort();
  }

  #onMessage(message: FromWorker): void {
    switch (message.type) {
      case "listening":
        this.deadlineMs = this.#options.ticker.deadlineIn(beatMs);
        this.#starting?.resolve();
        this.#starting = undefined;
        return;
      case "failed":
        return this.#fail(new CannotListenError(message.message, message.code));
      case "applied":
        this.#isTold = false;
        return this.#tellNext();
      case "alive":
        this.#missedBeats = 0;
        return;
      default:
        this.#options.onMessage(message);
    }
  }

  #tellNext(): void {
    const next = this.#next;
    if (next === undefined) return;
    this.#next = undefined;
    this.#isTold = true;
    send(this.worker, { type: "table", ...next });
  }

  #fail(error: Error): void {
    this.deadlineMs = never;
    this.#starting?.reject(error);
    this.#starting = undefined;
  }

  #end(error: Error, code: number | null, signal: string | null): void {
    this.#options.ticker.delete(this);
    this.#hasEnded = true;
    this.#fail(error);
    this.#ended.resolve();
    this.#options.onEnd(code, signal);
  }
}
