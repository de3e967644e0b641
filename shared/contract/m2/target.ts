// What the m2 suite is run against: a router that follows a file. The suite hosts the cells, writes the file, and looks
// at the data port and the admin port; how the router was started is the target's business.

import { readFile, writeFile } from "node:fs/promises";
import type { PlacementName } from "../../testkit/cluster.ts";
import { type FailedStart, failedStart } from "../../testkit/failed-start.ts";
import { pidsListeningOn, withDescendants } from "../../testkit/process-by-port.ts";
import { type Stage, startRouter } from "../../testkit/router-process.ts";
import {
  type ContractSettings,
  commandOption,
  handleOf,
  type LoggingRouter,
  type LogOutput,
  type RouterCommand,
  type RunningRouter,
  startLoggingTo,
} from "../target.ts";

export interface FollowingRouter extends RunningRouter {
  readonly adminUrl: string;
  /** The file that it follows: the suite writes it, replaces it, and puts links in its place. */
  readonly routingFile: string;
  /** Sends SIGHUP; absent where the process is not known. */
  readonly hangUp?: () => void;
}

export interface ReloadTarget {
  /** Ports that the suite's cells must take; absent: any free ones. */
  readonly ports?: Readonly<Record<PlacementName, number>>;
  /** Starts a router that follows a file with this content. */
  start(content: string): Promise<FollowingRouter>;
  /** Starts a router on a file with this content, or on none, and waits for its end; absent where it runs already. */
  startToFail?(content: string | undefined): Promise<FailedStart>;
  /** Starts a router whose log goes where a case wants it; absent where it runs already. */
  startLoggingTo?(output: LogOutput): Promise<LoggingRouter>;
}

/** A stage of this repository, or a program that promises the same, on free ports, with a routing file of its own. */
export function stageReloadTarget(stage: Stage, command?: RouterCommand): ReloadTarget {
  return {
    start: async (content) => {
      const router = await startRouter({ stage, routingText: content, ...commandOption(command) });
      return {
        ...handleOf(router),
        adminUrl: String(router.ready["adminUrl"]),
        routingFile: `${router.directory}/routing.json`,
        hangUp: () => router.signal("SIGHUP"),
        close: async () => void (await router.stop("SIGKILL")),
      };
    },
    startLoggingTo: (output) => startLoggingTo(stage, output, {}, command),
    startToFail: async (content) => {
      return await failedStart({ stage, routingText: content ?? null, ...commandOption(command) });
    },
  };
}

/** A router that runs already, in any language, and follows `routingFile`, whose content is put back at the end. */
function runningReloadTarget(
  router: Pick<FollowingRouter, "url" | "adminUrl" | "routingFile">,
  ports: Readonly<Record<PlacementName, number>>,
): ReloadTarget {
  const port = Number(new URL(router.url).port || 80);
  return {
    ports,
    start: async (content) => {
      const before = await readFile(router.routingFile);
      await writeFile(router.routingFile, content);
      return {
        ...router,
        pids: () => [...new Set(pidsListeningOn(port).flatMap(withDescendants))],
        close: () => writeFile(router.routingFile, before),
      };
    },
  };
}

/** What `npm run contract` describes. @throws Error when it describes too little */
export async function reloadTargetFrom(stage: Stage, settings: ContractSettings): Promise<ReloadTarget> {
  const { command, url, adminUrl, ports } = settings;
  if (command !== undefined) return stageReloadTarget(stage, command);
  if (url === undefined || adminUrl === undefined)
    throw new Error(`Use: npm run contract -- ${stage} http://127.0.0.1:8080 --admin http://127.0.0.1:8082`);
  const routingFile = settings.routingFile ?? (await namedFile(adminUrl));
  return runningReloadTarget({ url, adminUrl, routingFile }, ports);
}

async function namedFile(admin: string): Promise<string> {
  const response = await fetch(`${admin}/debug/config`);
  const { path } = (await response.json()) as { path?: unknown };
  if (typeof path === "string") return path;
  throw new Error(
    "Set CONTRACT_ROUTING_FILE: this router does not say which file it follows (start it with CONTROL_PLANE_URL=off)",
  );
}
