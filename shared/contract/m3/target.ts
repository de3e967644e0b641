// What the m3 suite is run against: a router that takes its table from a control plane, and that control plane. For some
// cases the suite plays the control plane itself. How either is started is the target's business.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "../../testkit/eventually.ts";
import { type Stage, startRouter } from "../../testkit/router-process.ts";

export interface PushedRouterOptions {
  readonly controlPlaneUrl: string;
  readonly token: string;
  readonly routerId: string;
  /** Where the router keeps its last-known-good snapshot. A second router with the same folder is the first, restarted. */
  readonly stateDir: string;
  /** Path of the bootstrap file, which need not exist. */
  readonly routingFile: string;
}

export interface PushedRouter {
  readonly url: string;
  readonly adminUrl: string;
  /** Ends it at once. */
  kill(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** 0 for any free one. */
  readonly port: number;
  readonly stateDir: string;
  readonly routingFile: string;
  /** Largest routing table that it takes, in bytes. */
  readonly maxMessageBytes?: number;
}

export interface RunningControlPlane {
  /** Such as `http://127.0.0.1:8081`. */
  readonly url: string;
  /** File that holds the token. */
  readonly tokenFile: string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with the exit code when it has ended, by itself or not. */
  readonly exited: Promise<number | null>;
}

export interface PushTarget {
  startRouter(options: PushedRouterOptions): Promise<PushedRouter>;
  startControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane>;
}

/** A stage of this repository. */
export function stagePushTarget(stage: Stage): PushTarget {
  return {
    startRouter: async ({ controlPlaneUrl, token, routerId, stateDir, routingFile }) => {
      const router = await startRouter({
        stage,
        // One that starts from a large table reads it first.
        readyDeadlineMs: 60_000,
        env: {
          CONTROL_PLANE_URL: controlPlaneUrl,
          CONTROL_PLANE_TOKEN: token,
          ROUTER_ID: routerId,
          STATE_DIR: stateDir,
          ROUTING_FILE: routingFile,
        },
      });
      return {
        url: router.url,
        adminUrl: String(router.ready["adminUrl"]),
        kill: async () => void (await router.stop("SIGKILL")),
      };
    },
    startControlPlane: (options) => startStageControlPlane(stage, options),
  };
}

async function startStageControlPlane(
  stage: Stage,
  options: ControlPlaneOptions,
): Promise<RunningControlPlane> {
  const main = fileURLToPath(new URL(`../../../stages/${stage}/src/control-plane/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      HOST: "127.0.0.1",
      CONTROL_PLANE_PORT: String(options.port),
      STATE_DIR: options.stateDir,
      ROUTING_FILE: options.routingFile,
      CONTROL_PLANE_TOKEN: "",
      LOG_LEVEL: "info",
      ...(options.maxMessageBytes === undefined
        ? {}
        : { MAX_MESSAGE_BYTES: String(options.maxMessageBytes) }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const ready = await readyLine(child);
  return {
    url: String(ready["url"]),
    tokenFile: String(ready["tokenFile"] ?? join(options.stateDir, "control-plane-token")),
    stop: async () => {
      child.kill("SIGTERM");
      return await within(exited, 10_000, "the control plane exits");
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    signal: (signal) => void child.kill(signal),
    exited,
  };
}

/** @throws Error with what the process said when it ends, or stays silent for 45 s, before its ready line */
function readyLine(child: ChildProcess): Promise<Record<string, unknown>> {
  const said: string[] = [];
  const ready = new Promise<Record<string, unknown>>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        if (line.startsWith('{"event":"ready"')) resolve(JSON.parse(line));
      });
    }
    child.once("close", (code) =>
      reject(new Error(`The control plane ended with exit code ${code}: ${said.join("\n")}`)),
    );
  });
  return within(ready, 45_000, "the control plane's ready line");
}
