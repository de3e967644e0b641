// Starts the control plane: reads the settings, wires the parts, and stops cleanly on a signal. Holds no rule of its own.

import { randomUUID } from "node:crypto";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { systemClock as clock } from "../clock.ts";
import { createLogger, endProcess, openLog } from "../log.ts";
import { Bearer, readOrMakeToken } from "./access.ts";
import { Fleet } from "./fleet.ts";
import { HandEdits } from "./hand-edits.ts";
import { HttpApi } from "./http-api.ts";
import { ControlPlaneServer } from "./server.ts";
import { readControlPlaneSettings } from "./settings.ts";
import { controlPlaneStartFault } from "./start-fault.ts";
import { RoutingStore } from "./store.ts";

const log = openLog(1, clock);

async function main(): Promise<void> {
  const settings = readControlPlaneSettings(process.env);
  const logger = createLogger(log, settings.LOG_LEVEL);

  const tokenFile = settings.CONTROL_PLANE_TOKEN_FILE ?? join(settings.STATE_DIR, "control-plane-token");
  const token = settings.CONTROL_PLANE_TOKEN ?? (await readOrMakeToken(tokenFile));
  const store = await RoutingStore.open({
    path: settings.ROUTING_FILE,
    historyPath: join(settings.STATE_DIR, "control-plane.json"),
    maxMessageBytes: settings.MAX_MESSAGE_BYTES,
    newEpoch: randomUUID,
    onPublish: (stored, why) => {
      const { epoch, revision, checksum } = stored.history;
      logger.info({ event: "published", epoch, revision, checksum, why });
      fleet.publish(stored, clock.now());
    },
    onFault: (error) => logger.error({ event: "store-fault", cause: error.message }),
  });
  const fleet: Fleet = new Fleet(store.current(), clock.now(), {
    onLostHistory: (have) => store.renewEpoch(have),
    onNack: (routerId, { revision, reasons }) =>
      logger.warn({ event: "nack", router: routerId, revision, reasons }),
  });
  const bearer = new Bearer(token);
  const api = new HttpApi({
    store,
    fleet,
    bearer,
    host: settings.HOST,
    maxBodyBytes: settings.MAX_MESSAGE_BYTES,
    now: () => clock.now(),
    onError: (error) => logger.error({ event: "api-fault", error: String(error) }),
  });
  const handEdits = new HandEdits(settings.ROUTING_FILE, store, clock, (error) =>
    logger.warn({ event: "store-not-watched", cause: error.message }),
  );
  const server = new ControlPlaneServer({
    handle: api.handle,
    fleet,
    bearer,
    host: settings.HOST,
    clock,
    onDeadLink: (router) => logger.warn({ event: "dead-link", router }),
  });

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    // Not twice: a wrapper such as npx passes on the Ctrl-C that the terminal has sent already.
    if (stopping) return;
    stopping = true;
    logger.info({ event: "stopping", signal });
    await server.close();
    await handEdits.close();
    await store.close();
    logger.info({ event: "stopped" });
    await endProcess(0, log);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);

  const port = await server.listen(settings.CONTROL_PLANE_PORT);
  handEdits.start();
  const host = isIPv6(settings.HOST) ? `[${settings.HOST}]` : settings.HOST;
  const url = `http://${host}:${port}`;
  const ready =
    settings.CONTROL_PLANE_TOKEN === undefined ? { event: "ready", url, tokenFile } : { event: "ready", url };
  log.write(`${JSON.stringify(ready)}\n`);
}

main().catch(fail);

/** Ends the process with one sentence that says what to change. */
async function fail(error: NodeJS.ErrnoException): Promise<void> {
  const errors = openLog(2, clock);
  errors.write(`${controlPlaneStartFault(error, process.env)}\n`);
  await endProcess(1, log, errors);
}
