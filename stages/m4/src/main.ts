// Starts the router: reads the settings, wires the parts, and stops cleanly on a signal. Holds no rule of its own.

import { randomUUID } from "node:crypto";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { Logger } from "pino";
import { AccessLog } from "./access-log.ts";
import { AdminServer, sendJson } from "./admin.ts";
import { Attempts } from "./attempts.ts";
import { systemClock as clock } from "./clock.ts";
import { Events } from "./events.ts";
import { FileSource } from "./file-source.ts";
import { HealthChecker } from "./health-checker.ts";
import { healthProbe } from "./health-probe.ts";
import { createLogger, endProcess, openLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { ProxyHandler } from "./proxy.ts";
import { Resilience } from "./resilience.ts";
import { DataServer } from "./server.ts";
import { readSettings, type Settings } from "./settings.ts";
import { SnapshotSource } from "./snapshot-source.ts";
import { startFault } from "./start-fault.ts";
import { TableStore } from "./table-store.ts";
import { Upstreams } from "./upstreams.ts";

/** How long requests under way may take to finish after a signal to stop. */
const drainMs = 10_000;

// V8 notes which kinds of objects outlive a collection, and allocates those kinds in the old generation from then on. In a burst
// right after the start, a request's objects do. Then each request that has ended keeps later ones alive until the next full
// collection: stages/m1/README.md shows what that costs.
setFlagsFromString("--no-allocation-site-pretenuring");

const log = openLog(1, clock);

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const logger = createLogger(log, settings.LOG_LEVEL);

  const store = new TableStore();
  const upstreams = new Upstreams(clock, {
    headTimeoutMs: settings.HEAD_TIMEOUT_MS,
    bodyIdleTimeoutMs: settings.BODY_IDLE_TIMEOUT_MS,
  });
  store.subscribe(({ table }) => {
    upstreams.retainOnly(new Set([...table.placements.values()].map(({ url }) => url)));
  });
  const { events, health, resilience, metrics } = resilienceFor(store, logger);
  const source = new FileSource({
    path: settings.ROUTING_FILE,
    store,
    logger,
    clock,
    wallClock: () => new Date(),
  });
  process.on("SIGHUP", () => source.reload());
  const pushed = snapshotSource(settings, source, store, logger);
  await (pushed ?? source).start();

  const accessLog = new AccessLog(logger, [metrics.requestEnded, events.requestEnded]);
  const proxy = new ProxyHandler({
    store,
    upstreams,
    resilience,
    attempts: new Attempts({ resilience, metrics, clock, random: () => Math.random() }),
    accessLog,
    clock,
    newRequestId: randomUUID,
  });
  const server = new DataServer({
    handle: proxy.handle,
    accessLog,
    clock,
    wallClock: () => new Date(),
    newRequestId: randomUUID,
    keepAliveTimeoutMs: settings.KEEP_ALIVE_TIMEOUT_MS,
  });

  let accepting = false;
  const admin = new AdminServer();
  admin.get("/healthz", (_, res) => sendJson(res, 200, { status: "ok" }));
  const ready = (): boolean => accepting && store.current() !== undefined;
  admin.get("/readyz", (_, res) => sendJson(res, ready() ? 200 : 503, { ready: ready() }));
  const status = () => (pushed ?? source).status();
  admin.get("/debug/config", (_, res) => sendJson(res, 200, { ...status(), ...overview(store) }));
  admin.get("/metrics", (_, res) => {
    res.setHeader("Content-Type", metrics.contentType);
    // Whatever goes wrong here must not end the process that serves the traffic.
    metrics.text().then(
      (text) => res.end(text),
      () => res.destroy(),
    );
  });
  admin.get("/events", events.watch, { forLocalPages: true });

  const stopChecks = new AbortController();
  health.start(stopChecks.signal);

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    // Not twice: a wrapper such as npx passes on the Ctrl-C that the terminal has sent already.
    if (stopping) return;
    stopping = true;
    logger.info({ event: "stopping", signal });
    accepting = false;
    stopChecks.abort();
    events.close();
    await Promise.all([server.drain(drainMs), source.close(), pushed?.close()]);
    await upstreams.destroy();
    await admin.close();
    logger.info({ event: "stopped" });
    await endProcess(0, log);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);

  const adminUrl = `http://127.0.0.1:${await admin.listen(settings.ADMIN_PORT)}`;
  const port = await server.listen(settings.PORT, settings.HOST);
  const host = isIPv6(settings.HOST) ? `[${settings.HOST}]` : settings.HOST;
  accepting = true;
  log.write(`${JSON.stringify({ event: "ready", url: `http://${host}:${port}`, adminUrl })}\n`);
}

/** The resilience side of the wiring: what follows the table, and who hears of its changes. */
function resilienceFor(store: TableStore, logger: Logger) {
  const events = new Events({ clock, wallClock: () => new Date() });
  const changed = (type: "breaker" | "health", placement: string, to: string, from: string): void => {
    logger.warn({ event: `${type}-changed`, placement, to, from });
    events.emit({ type, placement, to, from });
  };
  const onFault = (error: unknown): void => logger.error({ event: "listener-failed", cause: String(error) });
  const health = new HealthChecker({
    clock,
    random: () => Math.random(),
    probe: healthProbe(),
    onTransition: (placement, to, from) => changed("health", placement, to.kind, from.kind),
    onFault,
  });
  const isHealthy = (placement: string): boolean => health.isHealthy(placement);
  const resilience = new Resilience({
    isHealthy,
    onBreaker: (placement, to, from) => changed("breaker", placement, to.kind, from.kind),
    onFault,
  });
  const guards = () => resilience.guards();
  const linesDropped = () => log.dropped;
  const metrics = new Metrics({ guards, isHealthy, now: () => clock.now(), linesDropped });
  store.subscribe(({ table, sequence }) => {
    resilience.update(table, clock.now());
    health.update(table.placements.values());
    events.emit({ type: "table", version: table.version, sequence });
  });
  return { events, health, resilience, metrics };
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
    random: () => Math.random(),
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
