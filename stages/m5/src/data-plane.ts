// One process that serves traffic: everything between a client's socket and a cell's, wired. Where the table and the
// results of health checks come from is an argument: the process itself, or a supervisor.

import { randomUUID } from "node:crypto";
import type pino from "pino";
import { AccessLog } from "./access-log.ts";
import { Attempts } from "./attempts.ts";
import { systemClock as clock } from "./clock.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { Events } from "./events.ts";
import { RawTcp } from "./http1/raw-tcp.ts";
import { Ticker } from "./http1/ticker.ts";
import type { LogWriter } from "./log-writer.ts";
import { Metrics } from "./metrics.ts";
import { ProxyHandler } from "./proxy.ts";
import { type BreakerListener, Resilience } from "./resilience.ts";
import { DataServer } from "./server.ts";
import type { TableStore } from "./table-store.ts";

export interface DataPlaneOptions {
  readonly store: TableStore;
  readonly isHealthy: (placement: string) => boolean;
  readonly onBreaker: BreakerListener;
  /** Where decisions are shown; none in a worker, whose supervisor nobody could keep up with. */
  readonly events?: Events;
  readonly logger: pino.Logger;
  readonly log: LogWriter;
  readonly reusePort: boolean;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
}

/** How long idle connections may bring one more request when the whole router stops. */
const stopGraceMs = 1_000;

// #region data-plane
export class DataPlane {
  readonly metrics: Metrics;
  readonly resilience: Resilience;
  readonly #server: DataServer<unknown>;
  readonly #pool: ConnectionPool;
  readonly #accessLog: AccessLog;

  constructor(options: DataPlaneOptions) {
    const { store, isHealthy, onBreaker, events, logger, log, reusePort, random } = options;
    const ticker = new Ticker(clock);
    const raw = RawTcp.load();
    const resilience = new Resilience({ isHealthy, onBreaker });
    const metrics = new Metrics({
      guards: () => resilience.guards(),
      isHealthy,
      now: () => clock.now(),
      linesDropped: () => log.dropped,
    });
    const pool = new ConnectionPool(ticker, undefined, raw);
    store.subscribe(({ table }) => {
      pool.retainOnly(new Set([...table.placements.values()].map(({ url }) => url)));
      resilience.update(table, clock.now());
    });
    const accessLog = new AccessLog({
      write: (lines) => log.write(lines),
      enabled: logger.isLevelEnabled("info"),
      today: () => new Date(),
      listeners: events === undefined ? [metrics.requestEnded] : [metrics.requestEnded, events.requestEnded],
    });
    const attempts = new Attempts({ resilience, metrics, clock, random });
    const newRequestId = (): string => randomUUID();
    const handler = new ProxyHandler({ store, pool, resilience, attempts, accessLog, clock, newRequestId });
    this.#server = new DataServer({ handler, ticker, clock, raw, reusePort });
    this.metrics = metrics;
    this.resilience = resilience;
    this.#pool = pool;
    this.#accessLog = accessLog;
    // To the very end of the process: limits hold for the requests that a stop waits for, too.
    const untilTheEnd = new AbortController().signal;
    void ticker.run(untilTheEnd);
    void accessLog.run(clock, untilTheEnd);
  }

  listen(port: number, host: string): Promise<number> {
    return this.#server.listen(port, host);
  }

  /**
   * Finishes the requests under way, for `drainMs` at most, and writes the last lines. Before that, idle connections may
   * bring one more request for `idleGraceMs`.
   *
   * @default idleGraceMs 1000
   */
  async stop(drainMs: number, idleGraceMs = stopGraceMs): Promise<void> {
    await this.#server.drain(drainMs, idleGraceMs);
    this.#pool.destroy();
    this.#accessLog.flush();
  }

  /** For a stop under way that something waits for now: no more grace for idle connections, and `drainMs` for requests. */
  async hurry(drainMs: number): Promise<void> {
    this.#server.endGrace();
    await clock.sleep(drainMs);
    this.#server.destroy();
  }
}
// #endregion data-plane
