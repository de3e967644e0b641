// Starts the router: reads the settings, wires the parts, and stops cleanly on a signal. Holds no rule of its own.

import cluster from "node:cluster";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import { AdminServer, sendJson } from "./admin.ts";
import { systemClock as clock } from "./clock.ts";
import { faultReport } from "./data-plane.ts";
import { Events } from "./events.ts";
import { FileSource } from "./file-source.ts";
import { HealthChecker } from "./health-checker.ts";
import { healthProbe } from "./health-probe.ts";
import { createLogger, endProcess, openLog } from "./log.ts";
import { readSettings, type Settings } from "./settings.ts";
import { SnapshotSource } from "./snapshot-source.ts";
import { contained, type FaultReport } from "./sockets/fault-report.ts";
import { startFault } from "./start-fault.ts";
import { type SnapshotListener, TableStore } from "./table-store.ts";
import { type Change, trafficOf } from "./workers/traffic.ts";
import { runWorker } from "./workers/worker.ts";

const random = (): number => Math.random();

/** How long requests under way may take to finish after a signal to stop. */
const drainMs = 10_000;

// V8 notes which kinds of objects outlive a collection, and allocates those kinds in the old generation from then on. In a burst
// right after the start, a request's objects do. Then each request that has ended keeps later ones alive until the next full
// collection: stages/m1/README.md shows what that costs.
setFlagsFromString("--no-allocation-site-pretenuring");

const log = openLog(1, clock);

/** When whatever still hangs is left alone: the last lines of the log take 0.3 s more. */
const stopMs = drainMs + 600;

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const logger = createLogger(log, settings.LOG_LEVEL);
  const exit = (): Promise<never> => endProcess(0, log);
  if (cluster.isWorker) return runWorker({ settings, logger, log, drainMs, random, exit });

  const store = new TableStore();
  const report = faultReport(logger);
  const { events, health, changed, onHealth } = watchers(store, logger, report);
  const parts = { events, health, changed };
  const traffic = trafficOf({ settings, store, logger, log, report, ...parts, random, drainMs });
  onHealth(traffic.setUnhealthy);

  const source = new FileSource({
    path: settings.ROUTING_FILE,
    store,
    logger,
    clock,
    wallClock: () => new Date(),
  });
  process.on(
    "SIGHUP",
    contained(() => source.reload(), report),
  );
  process.on(
    "SIGHUP",
    contained(() => traffic.replace(), report),
  );
  const pushed = snapshotSource(settings, source, store, logger);
  await (pushed ?? source).start();

  let accepting = false;
  const admin = new AdminServer();
  admin.get("/healthz", (_, res) => sendJson(res, 200, { status: "ok" }));
  const ready = (): boolean => accepting && store.current() !== undefined;
  admin.get("/readyz", (_, res) => sendJson(res, ready() ? 200 : 503, { ready: ready() }));
  const status = () => (pushed ?? source).status();
  admin.get("/debug/config", (_, res) => sendJson(res, 200, { ...status(), ...overview(store) }));
  admin.get("/metrics", (_, res) => {
    res.setHeader("Content-Type", Registry.PROMETHEUS_CONTENT_TYPE);
    // Whatever goes wrong here must not end the process that serves the traffic.
    traffic.metrics().then(
      (text) => res.end(text),
      () => res.destroy(),
    );
  });
  admin.get("/events", events.watch, { forLocalPages: true });

  const stopChecks = new AbortController();
  health.start(stopChecks.signal);

  let stopping = false;
  const finish = async (signal: string): Promise<void> => {
    logger.info({ event: "stopping", signal });
    accepting = false;
    stopChecks.abort();
    events.close();
    await Promise.all([traffic.stop(), source.close(), pushed?.close()]);
    await admin.close();
    logger.info({ event: "stopped" });
  };
  const stop = (signal: string): void => {
    // Not twice: a wrapper such as npx passes on the Ctrl-C that the terminal has sent already.
    if (stopping) return;
    stopping = true;
    // Whatever hangs or throws on the way, the process ends in time.
    void clock.sleep(stopMs).then(exit);
    void finish(signal).catch(report).then(exit);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);

  const adminUrl = `http://127.0.0.1:${await admin.listen(settings.ADMIN_PORT)}`;
  const port = await traffic.listen(settings.PORT, settings.HOST);
  const host = isIPv6(settings.HOST) ? `[${settings.HOST}]` : settings.HOST;
  accepting = true;
  log.write(`${JSON.stringify({ event: "ready", url: `http://${host}:${port}`, adminUrl })}\n`);
}

/** What follows the table beside the traffic, and who hears of changes. */
function watchers(store: TableStore, logger: Logger, report: FaultReport) {
  const events = new Events({ clock, wallClock: () => new Date() });
  const changed: Change = (type, placement, to, from) => {
    logger.warn({ event: `${type}-changed`, placement, to, from });
    events.emit({ type, placement, to, from });
  };
  let tellUnhealthy: (placements: readonly string[]) => void = () => {};
  const health = new HealthChecker({
    clock,
    random,
    probe: healthProbe(),
    onFault: report,
    onTransition: (placement, to, from) => {
      changed("health", placement, to.kind, from.kind);
      tellUnhealthy(unhealthyPlacements());
    },
  });
  const unhealthyPlacements = (): string[] =>
    [...(store.current()?.table.placements.keys() ?? [])].filter((name) => !health.isHealthy(name));
  const follow = (listener: SnapshotListener): unknown => store.subscribe(contained(listener, report));
  follow(({ table }) => health.update(table.placements.values()));
  follow(() => tellUnhealthy(unhealthyPlacements()));
  follow(({ table, sequence }) => events.emit({ type: "table", version: table.version, sequence }));
  const onHealth = (listener: (placements: readonly string[]) => void): void => {
    tellUnhealthy = listener;
  };
  return { events, health, changed, onHealth };
}

/** What takes the table from a control plane; undefined when the routing file alone counts. */
function snapshotSource(
  settings: Settings,
  bootstrap: FileSource,
  store: TableStore,
  logger: Logger,
): SnapshotSource | undefined {
  if (settings.CONTROL_PLANE_URL === undefined) return undefined;
  return new SnapshotSource({
    urls: settings.CONTROL_PLANE_URL,
    stateDir: settings.STATE_DIR,
    tokenFile: settings.CONTROL_PLANE_TOKEN_FILE ?? join(settings.STATE_DIR, "control-plane-token"),
    token: settings.CONTROL_PLANE_TOKEN,
    routerId: settings.ROUTER_ID,
    maxMessageBytes: settings.MAX_MESSAGE_BYTES,
    bootstrap,
    store,
    logger,
    clock,
    random,
    wallClock: () => new Date(),
  });
}

/** The table in use, without the routing keys: they can be many, and they are tenants' names. */
function overview(store: TableStore): object {
  const table = store.current()?.table;
  if (table === undefined) return {};
  const { defaultPlacement, placements, placementByKey } = table;
  return {
    defaultPlacement: defaultPlacement.name,
    placements: [...placements.values()],
    routingKeys: placementByKey.size,
  };
}

main().catch(fail);

/** Ends the process with one sentence that says what to change. */
async function fail(error: NodeJS.ErrnoException): Promise<void> {
  const errors = openLog(2, clock);
  errors.write(`${startFault(error, process.env)}\n`);
  await endProcess(1, log, errors);
}
