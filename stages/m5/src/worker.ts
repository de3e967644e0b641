// A worker: one data plane that is told its table and who is healthy. It decides every request by itself, from memory;
// while its supervisor says nothing, it goes on with what it was told last.

import cluster from "node:cluster";
import type pino from "pino";
import { DataPlane } from "./data-plane.ts";
import type { LogWriter } from "./log-writer.ts";
import type { Settings } from "./settings.ts";
import { TableStore } from "./table-store.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

export interface WorkerOptions {
  readonly settings: Settings;
  readonly logger: pino.Logger;
  readonly log: LogWriter;
  readonly drainMs: number;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  /** Ends the process, after what has been logged is out. */
  readonly exit: () => Promise<void>;
}

/** How long the idle connections of a worker that is replaced may bring one more request. */
const retireGraceMs = 3_000;
/** How long its requests may still take: nothing waits for it, and the longest upload may take as long. */
const retireDrainMs = 300_000;

// #region worker
export function runWorker({ settings, logger, log, drainMs, random, exit }: WorkerOptions): void {
  const store = new TableStore();
  let unhealthy: ReadonlySet<string> = new Set();
  const tell = (message: FromWorker): void => {
    // A supervisor that is gone is noticed below; without a callback, saying something to it would be an error.
    if (process.connected) process.send?.(message, () => {});
  };
  const plane = new DataPlane({
    store,
    isHealthy: (placement) => !unhealthy.has(placement),
    onBreaker: (placement, to, from) => tell({ type: "breaker", placement, to: to.kind, from: from.kind }),
    logger,
    log,
    reusePort: settings.REUSE_PORT,
    random,
  });

  let stopping = false;
  const stop = async (deadlineMs: number, idleGraceMs?: number): Promise<void> => {
    if (stopping) return plane.hurry(deadlineMs);
    stopping = true;
    await plane.stop(deadlineMs, idleGraceMs);
    const json = await plane.metrics.json();
    if (process.connected)
      await new Promise((resolve) => process.send?.({ type: "final-metrics", json }, resolve));
    await exit();
  };
  process.on("message", (message: ToWorker) => {
    switch (message.type) {
      case "table":
        return void store.swap(message.table);
      case "unhealthy":
        unhealthy = new Set(message.placements);
        return;
      case "listen":
        plane.listen(message.port, settings.HOST).then(
          () => tell({ type: "listening" }),
          ({ code = "", message: words }) => tell({ type: "failed", code, message: words }),
        );
        return;
      case "retire":
        return void stop(retireDrainMs, retireGraceMs);
      case "metrics":
        void plane.metrics.json().then((json) => tell({ type: "metrics", id: message.id, json }));
        return;
      default:
        message satisfies never;
    }
  });

  process.on("SIGTERM", () => stop(drainMs));
  // Ctrl-C reaches the whole group; it is the supervisor that says when to stop.
  process.on("SIGINT", () => {});
  // So does the end of a terminal, and a reload is the supervisor's business.
  process.on("SIGHUP", () => {});
  // Without a supervisor nobody would end this worker, or give it another table. By itself `node:cluster` would end it at
  // once, with all its requests.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  // Saying something to a supervisor that has just gone; the disconnect that follows is what counts.
  cluster.worker?.on("error", () => {});
  process.on("disconnect", () => stop(drainMs, 0));
}
// #endregion worker
