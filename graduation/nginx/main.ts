// nginx behind the face of a stage: the same environment variables, the same READY line, an admin port, and a routing file
// that is followed. So the contract suites can start it, and whoever operates it sees what it runs on.

import { readFileSync } from "node:fs";
import { createServer, isIPv6 } from "node:net";
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
import { AccessLogTail } from "./access-log-tail.ts";
import { TableFollower } from "./table-follower.ts";

takeNoArguments(`Usage: npx tsx graduation/nginx/main.ts
  Starts nginx on a routing file, and reloads it for each new table. Settings are m4's, by environment variables:
  PORT, ADMIN_PORT, ROUTING_FILE, STATE_DIR, LOG_LEVEL, …`);

const log = openLog(1, clock);

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const logger = createLogger(log, settings.LOG_LEVEL);
  const store = new TableStore();
  const source = new FileSource({
    path: settings.ROUTING_FILE,
    store,
    logger,
    clock,
    wallClock: () => new Date(),
  });
  process.on("SIGHUP", () => source.reload());
  await source.start();
  const directory = join(resolve(settings.STATE_DIR), "nginx");
  const port = settings.PORT === 0 ? await freePort() : settings.PORT;
  const host = isIPv6(settings.HOST) ? `[${settings.HOST}]` : settings.HOST;
  await listenOnce(settings.HOST, port);
  const follower = await TableFollower.start(store, {
    listen: `${host}:${port}`,
    directory,
    onLine: (line) => logger.warn({ event: "nginx", line }),
  });
  const tail = new AccessLogTail(join(directory, "access.log"), (lines) => log.write(lines));

  const admin = new AdminServer();
  admin.get("/healthz", (_, res) => sendJson(res, 200, { status: "ok" }));
  admin.get("/readyz", (_, res) => sendJson(res, 200, { ready: true }));
  // The version that nginx serves, which is later than the one that the file holds.
  admin.get("/debug/config", (_, res) => {
    const { lastError, ...status } = source.status();
    sendJson(res, 200, {
      ...status,
      version: follower.version,
      lastError: lastError ?? follower.lastError,
      generation: follower.nginx.generation,
      workers: follower.nginx.workers(),
    });
  });
  admin.get("/debug/nginx.conf", (_, res) => {
    res.setHeader("Content-Type", "text/plain; charset=utf-8");
    res.end(readFileSync(join(directory, "nginx.conf")));
  });

  let stopping = false;
  const stop = async (code: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await Promise.all([follower.close(), source.close()]);
    tail.close();
    await admin.close();
    await endProcess(code, log);
  };
  process.on("SIGTERM", () => void stop(0));
  process.on("SIGINT", () => void stop(0));
  void follower.nginx.program.exited.then(() => stop(1));

  const adminUrl = `http://127.0.0.1:${await admin.listen(settings.ADMIN_PORT)}`;
  log.write(`${JSON.stringify({ event: "ready", url: `http://${host}:${port}`, adminUrl })}\n`);
}

/** nginx would try for three seconds, and not know which setting is at fault. @throws Error as a stage's own listener does */
async function listenOnce(host: string, port: number): Promise<void> {
  const server = createServer();
  const { promise, resolve: onListening, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen({ host, port }, onListening);
  await promise;
  await new Promise((onClosed) => server.close(onClosed));
}

main().catch(async (error: NodeJS.ErrnoException) => {
  const errors = openLog(2, clock);
  errors.write(`${startFault(error, process.env)}\n`);
  await endProcess(1, log, errors);
});
