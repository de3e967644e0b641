// A worker: one data plane that is told its table and who is healthy. It decides every request by itself, from memory;
// while its supervisor says nothing, it goes on with what it was told last.

import cluster from "node:cluster";
import type pino from "pino";
import { systemClock as clock } from "../clock.ts";
import { DataPlane, faultReport } from "../data-plane.ts";
import type { LogWriter } from "../log-writer.ts";
import type { RoutingTable } from "../routing-table.ts";
import type { Settings } from "../settings.ts";
import { contained } from "../sockets/fault-report.ts";
import { TableStore } from "../table-store.ts";
import { shareOf } from "./limit-shares.ts";
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
/** How long the last counts may take to reach a supervisor, which may be paused. */
const lastWordsMs = 250;

// #region worker
export function runWorker({ settings, logger, log, drainMs, random, exit }: WorkerOptions): void {
  const report = faultReport(logger);
  const store = new TableStore();
  let table: RoutingTable | undefined;
  let unhealthy: ReadonlySet<string> = new Set();
  let slot = "none";
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
    settings,
    worker: () => slot,
    reusePort: settings.REUSE_PORT,
    random,
  });

  let stopping = false;
  const finish = async (deadlineMs: number, idleGraceMs?: number): Promise<void> => {
    if (stopping) return plane.forceStop(deadlineMs);
    stopping = true;
    try {
      await plane.stop(deadlineMs, idleGraceMs);
      const json = await plane.metrics.json();
      const said = new Promise<void>((resolve) => {
        if (process.connected) process.send?.({ type: "final-metrics", json }, () => resolve());
        else resolve();
      });
      await Promise.race([said, clock.sleep(lastWordsMs)]);
    } finally {
      await exit();
    }
  };
  const stop = (deadlineMs: number, idleGraceMs?: number): void =>
    void finish(deadlineMs, idleGraceMs).catch(report);

  const onMessage = (message: ToWorker): void => {
    switch (message.type) {
      case "table": {
        table = message.table ?? table;
        const mine = table && shareOf(table, message.share);
        // First: whatever follows from this table, the next one may come.
        tell({ type: "applied" });
        if (mine !== undefined && mine !== store.current()?.table) store.swap(mine);
        return;
      }
      case "unhealthy":
        unhealthy = new Set(message.placements);
        return;
      case "listen":
        slot = String(message.slot);
        plane.listen(message.port, settings.HOST).then(
          () => tell({ type: "listening" }),
          ({ code = "", message: words }) => tell({ type: "failed", code, message: words }),
        );
        return;
      case "beat":
        return tell({ type: "alive" });
      case "retire":
        return stop(retireDrainMs, retireGraceMs);
      case "metrics":
        plane.metrics.json().then((json) => tell({ type: "metrics", id: message.id, json }), report);
        return;
      default:
        message satisfies never;
    }
  };
  process.on("message", contained(onMessage, report));

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
