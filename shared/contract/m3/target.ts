// What the m3 suite is run against: a router that takes its table from a control plane, and that control plane. For some
// cases the suite plays the control plane itself. How either is started is the target's business.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "../../testkit/eventually.ts";
import { Program, StartError } from "../../testkit/program.ts";
import { type Stage, startRouter } from "../../testkit/router-process.ts";
import { commandOption, endOf, type RouterCommand } from "../target.ts";

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
  /** How its process ended, with its last words; undefined while it runs. */
  howItEnded(): string | undefined;
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

/**
 * A stage of this repository, or a program that promises the same. The control plane is the stage's: a router in another
 * language brings none.
 */
export function stagePushTarget(stage: Stage, command?: RouterCommand): PushTarget {
  return {
    startRouter: async ({ controlPlaneUrl, token, routerId, stateDir, routingFile }) => {
      const router = await startRouter({
        stage,
        ...commandOption(command),
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
        howItEnded: () => endOf(router.program),
        kill: async () => void (await router.stop("SIGKILL")),
      };
    },
    startControlPlane: (options) => startStageControlPlane(stage, options),
  };
}

function startStageControlPlane(stage: Stage, options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const main = new URL(`../../../stages/${stage}/src/control-plane/main.ts`, import.meta.url);
  return startControlPlaneAt(main, options);
}

/** @param env What this control plane takes beside what a stage's does. */
export async function startControlPlaneAt(
  main: URL,
  options: ControlPlaneOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningControlPlane> {
  const program = new Program({
    name: "The control plane",
    command: process.execPath,
    args: [fileURLToPath(main)],
    env: {
      ...env,
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
  });
  const exited = program.exited.then(({ code }) => code);
  const ready = await readyLine(program);
  return {
    url: program.url,
    tokenFile: String(ready["tokenFile"] ?? join(options.stateDir, "control-plane-token")),
    stop: async () => {
      program.signal("SIGTERM");
      return await within(exited, 10_000, "the control plane exits");
    },
    kill: async () => void (await program.kill()),
    signal: (signal) => program.signal(signal),
    exited,
  };
}

/** @throws Error with what the process said when it ends, or stays silent for 45 s, before its ready line */
async function readyLine(program: Program): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await program.ready(45_000);
  } catch (error) {
    await program.kill();
    if (!(error instanceof StartError)) throw error;
    throw new Error(`${error.message}: ${error.output.join("\n")}`, { cause: error });
  }
}
