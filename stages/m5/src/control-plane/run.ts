// Runs a control plane on any store: wires the parts, and stops cleanly on a signal. Holds no rule of its own.

import { isIPv6 } from "node:net";
import { join } from "node:path";
import { systemClock as clock } from "../clock.ts";
import { createLogger, endProcess, openLog } from "../log.ts";
import { Bearer, readOrMakeToken } from "./access.ts";
import type { OpenStore } from "./any-store.ts";
import { Fleet } from "./fleet.ts";
import { HttpApi } from "./http-api.ts";
import { ControlPlaneServer } from "./server.ts";
import { readControlPlaneSettings } from "./settings.ts";
import { controlPlaneStartFault } from "./start-fault.ts";

/** A stop ends after this time at the latest, in milliseconds, whatever the disk does. Clients get the first second of it. */
const stopTimeoutMs = 5_000;

const log = openLog(1, clock);

type Environment = Readonly<Record<string, string | undefined>>;

/** Runs until a signal ends the process. Never rejects: a start that fails ends the process, too. */
export async function runControlPlane(openStore: OpenStore, environment: Environment): Promise<void> {
  await start(openStore, environment).catch((error) => fail(error, environment));
}

async function start(openStore: OpenStore, environment: Environment): Promise<void> {
  const settings = readControlPlaneSettings(environment);
  const logger = createLogger(log, settings.LOG_LEVEL);

  let onLost = (): void => {};
  const opened = await openStore({
    settings,
    logger,
    onLost: () => onLost(),
    onPublish: (stored, why) => {
      const { epoch, revision, checksum } = stored.history;
      logger.info({ event: "published", epoch, revision, checksum, why });
      fleet.publish(stored, clock.now());
    },
  });
  const { store } = opened;
  const tokenFile = settings.CONTROL_PLANE_TOKEN_FILE ?? join(settings.STATE_DIR, "control-plane-token");
  const token = settings.CONTROL_PLANE_TOKEN ?? (await readOrMakeToken(tokenFile));
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
  const server = new ControlPlaneServer({
    handle: api.handle,
    fleet,
    bearer,
    host: settings.HOST,
    clock,
    onDeadLink: (router) => logger.warn({ event: "dead-link", router }),
    onError: (error) => logger.error({ event: "listener-fault", cause: error.message }),
  });

  let stopping = false;
  const stop = async (signal: string, exitCode = 0): Promise<void> => {
    // Not twice: a wrapper such as npx passes on the Ctrl-C that the terminal has sent already.
    if (stopping) return;
    stopping = true;
    logger.info({ event: "stopping", signal });
    // A disk that hangs holds up what follows. What was not finished was not acknowledged either.
    const closed = server.close().then(opened.close);
    await Promise.race([closed, clock.sleep(stopTimeoutMs)]);
    logger.info({ event: "stopped" });
    await endProcess(exitCode, log);
  };
  // Links and API end with it: only the store's present owner may be heard.
  onLost = () => void stop("store-lost", 1);
  process.on("SIGTERM", (signal) => stop(signal));
  process.on("SIGINT", (signal) => stop(signal));

  const port = await server.listen(settings.CONTROL_PLANE_PORT);
  opened.follow();
  const host = isIPv6(settings.HOST) ? `[${settings.HOST}]` : settings.HOST;
  const url = `http://${host}:${port}`;
  const ready =
    settings.CONTROL_PLANE_TOKEN === undefined ? { event: "ready", url, tokenFile } : { event: "ready", url };
  log.write(`${JSON.stringify(ready)}\n`);
}

/** Ends the process with one sentence that says what to change. */
async function fail(error: NodeJS.ErrnoException, environment: Environment): Promise<void> {
  const errors = openLog(2, clock);
  errors.write(`${controlPlaneStartFault(error, environment)}\n`);
  await endProcess(1, log, errors);
}
