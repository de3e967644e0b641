// What the m2 suite is run against: a router that follows a file. The suite hosts the cells, writes the file, and looks
// at the data port and the admin port; how the router was started is the target's business.

import { writeFile } from "node:fs/promises";
import type { PlacementName } from "../../testkit/cluster.ts";
import { withDescendants } from "../../testkit/process-by-port.ts";
import { type ExitStatus, type Stage, spawnRouter, startRouter } from "../../testkit/router-process.ts";
import { type LoggingRouter, type LogOutput, type RunningRouter, startStageLoggingTo } from "../target.ts";

export interface FollowingRouter extends RunningRouter {
  readonly adminUrl: string;
  /** The file that it follows: the suite writes it, replaces it, and puts links in its place. */
  readonly routingFile: string;
  /** Sends SIGHUP; absent where the process is not known. */
  readonly hangUp?: () => void;
}

/** How a start-up ended that had to fail. */
export interface FailedStart extends ExitStatus {
  readonly stderr: string;
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

/** A stage of this repository, on free ports, with a routing file of its own. */
export function stageReloadTarget(stage: Stage): ReloadTarget {
  return {
    start: async (content) => {
      const router = await startRouter({ stage, routing: JSON.parse(content) });
      return {
        url: router.url,
        adminUrl: String(router.ready["adminUrl"]),
        routingFile: `${router.directory}/routing.json`,
        hangUp: () => router.signal("SIGHUP"),
        pids: () => withDescendants(router.pid),
        logs: () => router.logs(),
        close: async () => void (await router.stop("SIGKILL")),
      };
    },
    startLoggingTo: (output) => startStageLoggingTo(stage, output),
    startToFail: async (content) => {
      // The harness writes a valid file; this start-up reads another one.
      const router = await spawnRouter({ stage, env: { ROUTING_FILE: "other.json" } });
      if (content !== undefined) await writeFile(`${router.directory}/other.json`, content);
      try {
        const exit = await router.exited();
        return { ...exit, stderr: router.stderr() };
      } finally {
        await router.stop("SIGKILL");
      }
    },
  };
}

/** A router that runs already, in any language, and follows `routingFile`. */
export function runningReloadTarget(
  router: Pick<FollowingRouter, "url" | "adminUrl" | "routingFile" | "hangUp">,
  ports: Readonly<Record<PlacementName, number>>,
): ReloadTarget {
  return {
    ports,
    start: async (content) => {
      await writeFile(router.routingFile, content);
      return { ...router, pids: () => [], close: async () => {} };
    },
  };
}
