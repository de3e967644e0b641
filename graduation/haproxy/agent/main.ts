#!/usr/bin/env node
// The agent: a router to the control plane, and the hand on HAProxy. Settings are m4's, by the same environment variables:
//
//   CONTROL_PLANE_URL=ws://127.0.0.1:8081 STATE_DIR=.state/haproxy PORT=8180 npx tsx graduation/haproxy/agent/main.ts
//
// STATE_DIR holds the last-known-good snapshot and, in `haproxy/`, what HAProxy reads and its sockets. An agent that is killed
// leaves HAProxy serving; the next one with the same STATE_DIR takes it over. SIGTERM and SIGINT stop both.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../bench/free-port.ts";
import { takeNoArguments } from "../../../shared/testkit/no-arguments.ts";
import { AdminServer, sendJson } from "../../../stages/m4/src/admin.ts";
import { systemClock as clock } from "../../../stages/m4/src/clock.ts";
import { createLogger, endProcess, openLog } from "../../../stages/m4/src/log.ts";
import { readSettings, type Settings, SettingsError } from "../../../stages/m4/src/settings.ts";
import { startFault } from "../../../stages/m4/src/start-fault.ts";
import { lockFolder } from "../../folder-lock.ts";
import { listenErrorIn } from "../listen-fault.ts";
import { DataPlane } from "./data-plane.ts";
import { HaproxyFiles } from "./files.ts";
import { TableLink } from "./table-link.ts";
import { HaproxyRefusal } from "./worker.ts";

/** How long requests under way may take to finish after a signal to stop. */
const drainMs = 10_000;
/** A Unix socket's path has 107 bytes at most, and HAProxy adds a suffix while it binds one. */
const maxFolderLength = 80;

takeNoArguments(`Usage: npx tsx graduation/haproxy/agent/main.ts
  Starts HAProxy under a control plane, without a reload where it can. Settings are m4's, by environment variables:
  PORT, ADMIN_PORT, CONTROL_PLANE_URL, STATE_DIR, LOG_LEVEL, …; ACCESS_LOG says where HAProxy's access log goes (stdout)`);

const log = openLog(1, clock);
const defaultStateDir = fileURLToPath(new URL("../.state", import.meta.url));

async function main(): Promise<void> {
  const settings = readSettings({ STATE_DIR: defaultStateDir, ...process.env });
  const logger = createLogger(log, settings.LOG_LEVEL);
  const folder = join(resolve(settings.STATE_DIR), "haproxy");
  if (folder.length > maxFolderLength)
    throw new SettingsError(
      `Cannot start: STATE_DIR=${JSON.stringify(settings.STATE_DIR)}: too long for a socket`,
    );
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const held = lockFolder(folder, "agent");
  process.once("exit", () => held[Symbol.dispose]());
  const port = await portFor(settings, folder);

  const accessLog = process.env["ACCESS_LOG"] ?? "stdout";
  const files = new HaproxyFiles(folder, { host: settings.HOST, port, log: accessLog });
  const random = () => Math.random();
  const dataPlane = new DataPlane({ files, clock, random, logger });
  const serves = Promise.withResolvers<void>();
  const apply: TableLinkApply = async (table) => {
    await dataPlane.apply(table);
    serves.resolve();
  };
  const link = new TableLink({ settings, apply, logger, clock, random, wallClock: () => new Date() });

  const admin = new AdminServer();
  let accepting = false;
  const ready = (): boolean => accepting && dataPlane.status().worker !== null;
  admin.get("/healthz", (_, res) => sendJson(res, 200, { status: "ok" }));
  admin.get("/readyz", (_, res) => sendJson(res, ready() ? 200 : 503, { ready: ready() }));
  admin.get("/debug/config", (_, res) =>
    sendJson(res, 200, { ...link.status(), haproxy: dataPlane.status() }),
  );

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    accepting = false;
    logger.info({ event: "stopping", signal });
    await link.close();
    await dataPlane.stop(drainMs);
    await admin.close();
    logger.info({ event: "stopped" });
    await endProcess(0, log);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);

  const adminUrl = `http://127.0.0.1:${await admin.listen(settings.ADMIN_PORT)}`;
  await link.start();
  dataPlane.start();
  await serves.promise;
  accepting = true;
  const host = isIPv6(settings.HOST) ? `[${settings.HOST}]` : settings.HOST;
  log.write(`${JSON.stringify({ event: "ready", url: `http://${host}:${port}`, adminUrl })}\n`);
}

type TableLinkApply = ConstructorParameters<typeof TableLink>[0]["apply"];

/** `PORT=0`: a free one, kept for the next agent, because the HAProxy that it may find listens there. */
async function portFor({ PORT }: Settings, folder: string): Promise<number> {
  if (PORT !== 0) return PORT;
  const file = join(folder, "port");
  const kept = Number(await readFile(file, "utf8").catch(() => ""));
  if (kept > 0) return kept;
  const port = await freePort();
  await writeFile(file, String(port));
  return port;
}

main().catch(async (error: NodeJS.ErrnoException) => {
  const errors = openLog(2, clock);
  const fault =
    error instanceof HaproxyRefusal
      ? (listenErrorIn(error.message, readSettings(process.env).PORT) ?? error)
      : error;
  errors.write(`${startFault(fault, process.env)}\n`);
  await endProcess(1, log, errors);
});
