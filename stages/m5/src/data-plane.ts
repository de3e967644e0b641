// One process that serves traffic: everything between a client's socket and a cell's, wired. Where the table and the
// results of health checks come from is an argument: the process itself, or a supervisor.

import { randomUUID } from "node:crypto";
import type pino from "pino";
import { AccessLog } from "./access-log.ts";
import { Attempts } from "./attempts.ts";
import { systemClock as clock } from "./clock.ts";
import { DateLine } from "./date-line.ts";
import type { Events } from "./events.ts";
import type { LogWriter } from "./log-writer.ts";
import { Metrics } from "./metrics.ts";
import { ProxyHandler } from "./proxy.ts";
import { type BreakerListener, Resilience } from "./resilience.ts";
import type { Settings } from "./settings.ts";
import { defaultClientLimits } from "./sockets/client-time.ts";
import { ConnectionPool, defaultPoolLimits } from "./sockets/connection-pool.ts";
import { contained, type FaultReport } from "./sockets/fault-report.ts";
import { Listener } from "./sockets/listener.ts";
import { never, Ticker } from "./sockets/ticker.ts";
import type { TableStore } from "./table-store.ts";
import { PrerenderedCache } from "./trim/prerendered-headers.ts";
import { RawTcp } from "./trim/raw-tcp.ts";

export interface DataPlaneOptions {
  readonly store: TableStore;
  readonly isHealthy: (placement: string) => boolean;
  readonly onBreaker: BreakerListener;
  /** Where decisions are shown; none in a worker, whose supervisor nobody could keep up with. */
  readonly events?: Events;
  readonly logger: pino.Logger;
  readonly log: LogWriter;
  readonly settings: Settings;
  /** Which of the router's workers this is, for its metrics. @default "0" */
  readonly worker?: () => string;
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
  readonly #listener: Listener;
  readonly #reusePort: boolean;
  readonly #pool: ConnectionPool;
  readonly #accessLog: AccessLog;

  constructor(options: DataPlaneOptions) {
    const { store, isHealthy, onBreaker, events, logger, log, settings, worker, reusePort, random } = options;
    const ticker = new Ticker(clock);
    const raw = RawTcp.load();
    const report = faultReport(logger);
    const resilience = new Resilience({ isHealthy, onBreaker, onFault: report });
    const metrics = new Metrics({
      guards: () => resilience.guards(),
      isHealthy,
      now: () => clock.now(),
      linesDropped: () => log.dropped,
      ...(worker && { worker }),
      eventLoopDelayMs: () => ticker.worstDelayMs,
    });
    const limits = timeLimits(settings);
    const pool = new ConnectionPool(ticker, limits.cells, raw, report);
    store.subscribe(
      contained(({ table }) => {
        pool.retainOnly(new Set([...table.placements.values()].map(({ url }) => url)));
      }, report),
    );
    store.subscribe(contained(({ table }) => resilience.update(table, clock.now()), report));
    const accessLog = new AccessLog({
      write: (lines) => log.write(lines),
      enabled: logger.isLevelEnabled("info"),
      wallClock: () => new Date(),
      listeners: events === undefined ? [metrics.requestEnded] : [metrics.requestEnded, events.requestEnded],
      report: faultReport(logger, "listener-failed"),
    });
    const attempts = new Attempts({ resilience, metrics, clock, random });
    const newRequestId = (): string => randomUUID();
    const handler = new ProxyHandler({
      store,
      pool,
      resilience,
      attempts,
      accessLog,
      prerendered: new PrerenderedCache(),
      dateLine: new DateLine(() => Date.now()),
      clock,
      report,
      newRequestId,
    });
    this.#listener = new Listener({ handler, ticker, clock, limits: limits.clients, raw });
    this.#reusePort = reusePort;
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
    return this.#listener.listen({ port, host, reusePort: this.#reusePort });
  }

  /**
   * Finishes the requests under way, for `drainMs` at most, and writes the last lines. In the first `idleGraceMs` of these,
   * idle connections may bring one more request.
   *
   * @default idleGraceMs 1000
   */
  async stop(drainMs: number, idleGraceMs = stopGraceMs): Promise<void> {
    await this.#listener.drain(drainMs - idleGraceMs, idleGraceMs);
    this.#pool.destroy();
    this.#accessLog.flush();
  }

  /** For a stop under way that something waits for now: no more grace for idle connections, and `drainMs` for requests. */
  async forceStop(drainMs: number): Promise<void> {
    this.#listener.endGrace();
    await clock.sleep(drainMs);
    this.#listener.destroy();
  }
}
// #endregion data-plane

/** Tells of faults in the log. */
export function faultReport(logger: pino.Logger, event = "router-fault"): FaultReport {
  return (error) => {
    try {
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
      logger.error({ event, cause });
    } catch {
      // Nobody is left to tell.
    }
  };
}

/** The limits that can be set, and the others. */
function timeLimits(settings: Settings) {
  const limitMs = (ms: number): number => (ms === 0 ? never : ms);
  const headTimeoutMs = limitMs(settings.HEAD_TIMEOUT_MS);
  const bodyIdleTimeoutMs = limitMs(settings.BODY_IDLE_TIMEOUT_MS);
  const keepAliveTimeoutMs = limitMs(settings.KEEP_ALIVE_TIMEOUT_MS);
  return {
    cells: { ...defaultPoolLimits, headTimeoutMs, bodyIdleTimeoutMs },
    clients: { ...defaultClientLimits, keepAliveTimeoutMs },
  };
}
