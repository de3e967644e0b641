// Who serves the traffic: this process itself, or workers of it. The rest of the router need not know which.

import type { Logger } from "pino";
import { systemClock as clock } from "../clock.ts";
import { DataPlane } from "../data-plane.ts";
import type { Events } from "../events.ts";
import type { HealthChecker } from "../health-checker.ts";
import type { LogWriter } from "../log-writer.ts";
import type { Settings } from "../settings.ts";
import type { FaultReport } from "../sockets/fault-report.ts";
import type { TableStore } from "../table-store.ts";
import { Supervisor } from "./supervisor.ts";

/** Told that a breaker or the health of a placement has changed. */
export type Change = (type: "breaker" | "health", placement: string, to: string, from: string) => void;

export interface Traffic {
  listen(port: number, host: string): Promise<number>;
  /** Replaces the processes that serve, where there are others than this one. */
  replace(): void;
  setUnhealthy(placements: readonly string[]): void;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

export interface TrafficOptions {
  readonly settings: Settings;
  readonly store: TableStore;
  readonly logger: Logger;
  readonly log: LogWriter;
  readonly report: FaultReport;
  readonly events: Events;
  readonly health: HealthChecker;
  readonly changed: Change;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  /** How long requests under way may take to finish after a signal to stop. */
  readonly drainMs: number;
}

/** How much longer than their requests workers may take to end, before they are ended by force. */
const workersEndGraceMs = 500;

export function trafficOf(options: TrafficOptions): Traffic {
  return options.settings.WORKERS > 1 ? manyWorkers(options) : oneProcess(options);
}

function oneProcess(options: TrafficOptions): Traffic {
  const { settings, store, logger, log, events, health, changed, random, drainMs } = options;
  const plane = new DataPlane({
    store,
    isHealthy: (placement) => health.isHealthy(placement),
    onBreaker: (placement, to, from) => changed("breaker", placement, to.kind, from.kind),
    events,
    logger,
    log,
    settings,
    reusePort: false,
    random,
  });
  return {
    listen: (port, host) => plane.listen(port, host),
    replace: () => {},
    setUnhealthy: () => {},
    metrics: () => plane.metrics.text(),
    stop: () => plane.stop(drainMs),
  };
}

function manyWorkers(options: TrafficOptions): Traffic {
  const { settings, store, logger, log, report, changed, random, drainMs } = options;
  const supervisor = new Supervisor({
    workers: settings.WORKERS,
    host: settings.HOST,
    store,
    logger,
    clock,
    random,
    report,
    onBreaker: (placement, to, from) => changed("breaker", placement, to, from),
    linesDropped: () => log.dropped,
  });
  return {
    listen: (port) => supervisor.start(port),
    replace: () => void supervisor.replaceAll(),
    setUnhealthy: (placements) => supervisor.setUnhealthy(placements),
    metrics: () => supervisor.metrics(),
    stop: () => supervisor.stop(drainMs + workersEndGraceMs),
  };
}
