// HAProxy as a router that keeps the promises of m1 and m4: started like a stage's router, it follows `ROUTING_FILE` and
// reloads HAProxy for each new table. The contract suites start it; so can you:
//
//   PORT=8080 ADMIN_PORT=8082 ROUTING_FILE=stages/m4/routing.resilience.json npx tsx graduation/haproxy/router.ts
//
// For changes without a reload, under a control plane, see the agent.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort } from "../../bench/free-port.ts";
import { takeNoArguments } from "../../shared/testkit/no-arguments.ts";
import { AdminServer, sendJson } from "../../stages/m4/src/admin.ts";
import { systemClock as clock } from "../../stages/m4/src/clock.ts";
import { FileSource } from "../../stages/m4/src/file-source.ts";
import { createLogger, endProcess, openLog } from "../../stages/m4/src/log.ts";
import { readSettings } from "../../stages/m4/src/settings.ts";
import { startFault } from "../../stages/m4/src/start-fault.ts";
import { TableStore } from "../../stages/m4/src/table-store.ts";
import { HaproxyRefusal } from "./agent/worker.ts";
import { Engine } from "./engine.ts";

/** Before a table is tried again whose reload failed for a reason of the moment, such as a full disk. */
const retryMs = 1_000;

/** Longer ones leave no room for a socket's path. */
const maxStateFolderLength = 65;

takeNoArguments(`Usage: npx tsx graduation/haproxy/router.ts
  Starts HAProxy on a routing file, and reloads it for each new table. Settings are m4's, by environment variables:
  PORT, ADMIN_PORT, ROUTING_FILE, STATE_DIR, LOG_LEVEL, …`);

const log = openLog(1, clock);
const errors = openLog(2, clock);

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const folder = ownFolder();
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const logger = createLogger(log, settings.LOG_LEVEL);
  const store = new TableStore();
  const wallClock = () => new Date();
  const source = new FileSource({ path: settings.ROUTING_FILE, store, logger, clock, wallClock });
  await source.start();

  const first = store.current()?.table;
  if (first === undefined) throw new Error("There is no table after the start");
  const port = settings.PORT === 0 ? await freePort() : settings.PORT;
  let isReady = false;
  const engine = await Engine.start(first, {
    host: settings.HOST,
    port,
    folder,
    // Its lines go through this process, which loses lines where they cannot be written: HAProxy would wait. What is not an
    // access line is a notice of HAProxy's own: before it is ready, the error of a start that fails has them.
    onLine: (line) => {
      if (line.startsWith("{")) log.write(`${line}\n`);
      else if (isReady) errors.write(`${line}\n`);
    },
  });

  // What HAProxy runs on, which is later than what has been read.
  let served = first;
  let reloading: Promise<void> = Promise.resolve();
  const stop = new AbortController();
  const reload = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const table = store.current()?.table;
      if (table === undefined || table === served) return;
      try {
        await engine.reload(table);
        served = table;
      } catch (error) {
        logger.error({ event: "reload-refused", cause: String(error) });
        if (error instanceof HaproxyRefusal) return;
        await clock.sleep(retryMs, stop.signal).catch(() => {});
      }
    }
  };
  store.subscribe(() => {
    reloading = reloading.then(reload);
  });

  const admin = new AdminServer();
  admin.get("/healthz", (_, res) => sendJson(res, 200, { status: "ok" }));
  admin.get("/debug/config", (_, res) => sendJson(res, 200, { ...source.status(), version: served.version }));
  const adminUrl = `http://127.0.0.1:${await admin.listen(settings.ADMIN_PORT)}`;

  process.on("SIGHUP", () => source.reload());
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, async () => {
      stop.abort();
      await source.close();
      await reloading;
      await engine.stop();
      await admin.close();
      await endProcess(0, log);
    });
  void engine.ended.then((how) => {
    if (!stop.signal.aborted) void fail(new Error(how));
  });
  isReady = true;
  log.write(`${JSON.stringify({ event: "ready", url: `http://${settings.HOST}:${port}`, adminUrl })}\n`);
}

/** For HAProxy's files. Whoever names a `STATE_DIR` removes it, also after a SIGKILL, when nothing here can. */
function ownFolder(): string {
  const stateFolder = resolve(process.env["STATE_DIR"] ?? "");
  // A Unix socket's path has 107 bytes at most, and HAProxy adds a suffix while it binds one.
  if (!process.env["STATE_DIR"] || stateFolder.length > maxStateFolderLength)
    return mkdtempSync(join(tmpdir(), "cell-routing-haproxy-"));
  mkdirSync(stateFolder, { recursive: true });
  return mkdtempSync(join(stateFolder, "haproxy-"));
}

/** Without HAProxy nobody serves: whoever started this process should know. */
async function fail(error: Error): Promise<never> {
  errors.write(`${startFault(error, process.env)}\n`);
  return await endProcess(1, log, errors);
}

await main().catch(fail);
