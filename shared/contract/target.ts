// What a contract suite is run against: anything that serves the routing table of the contract at a URL. A suite hosts
// the four endpoints itself and hands their addresses over; how a router learns them is the target's business.

import { type PlacementName, placementNames } from "../testkit/cluster.ts";
import { withFilesUpTo } from "../testkit/log-places.ts";
import { pidsListeningOn, withDescendants } from "../testkit/process-by-port.ts";
import {
  type EndpointUrls,
  type ExitStatus,
  type LogLine,
  type Stage,
  spawnRouter,
  startRouter,
} from "../testkit/router-process.ts";

/** The endpoint ports of the contract's routing table. */
export const defaultPorts: Readonly<Record<PlacementName, number>> = {
  visa: 9004,
  tier1: 9001,
  tier2: 9002,
  tier3: 9003,
};

export interface RunningRouter {
  readonly url: string;
  /** The router's processes, for resident memory; empty where they are not known. */
  pids(): readonly number[];
  /** Its access log so far; absent where the suite cannot read it. */
  readonly logs?: () => readonly LogLine[];
  close(): Promise<void>;
}

/** Where a case wants a router's log to go. */
export interface LogOutput {
  readonly stdout: number;
  readonly stderr?: number;
  /** Largest file that the router can write: a disk that fills up. */
  readonly maxFileKib?: number;
}

/** A router whose log goes where a case wants it; the case finds the READY line there. */
export interface LoggingRouter extends AsyncDisposable {
  signal(signal: "SIGTERM"): void;
  exited(deadlineMs: number): Promise<ExitStatus>;
}

export interface ContractTarget {
  /** Ports that the suite's endpoints must take; absent: any free ones. */
  readonly ports?: Readonly<Record<PlacementName, number>>;
  /** Called once, when the endpoints listen. */
  start(endpoints: EndpointUrls): Promise<RunningRouter>;
  /** Starts one more router; absent where the suite did not start the first one. */
  startLoggingTo?(output: LogOutput, endpoints: EndpointUrls): Promise<LoggingRouter>;
}

/** A stage of this repository, started on free ports. */
export function stageTarget(stage: Stage): ContractTarget {
  return {
    start: async (endpoints) => {
      const router = await startRouter({ stage, endpoints });
      return {
        url: router.url,
        pids: () => withDescendants(router.pid),
        logs: () => router.logs(),
        close: async () => void (await router.stop("SIGKILL")),
      };
    },
    startLoggingTo: (output, endpoints) => startStageLoggingTo(stage, output, endpoints),
  };
}

/** A stage's router whose standard output this process does not read. */
export function startStageLoggingTo(
  stage: Stage,
  { maxFileKib, ...output }: LogOutput,
  endpoints: EndpointUrls = {},
): Promise<LoggingRouter> {
  if (maxFileKib === undefined) return spawnRouter({ stage, endpoints, output });
  // The compile cache is made of files, too.
  const env = { NODE_DISABLE_COMPILE_CACHE: "1" };
  return spawnRouter({ stage, endpoints, output, env, launcher: withFilesUpTo(maxFileKib) });
}

/** A router that runs already, in any language, and routes to `ports` of 127.0.0.1. */
export function urlTarget(url: string, ports: Readonly<Record<PlacementName, number>>): ContractTarget {
  return {
    ports,
    start: async () => ({
      url,
      pids: () => [...new Set(pidsListeningOn(Number(new URL(url).port || 80)).flatMap(withDescendants))],
      close: async () => {},
    }),
  };
}

/**
 * The target that CONTRACT_URL and CONTRACT_PORTS (`visa=9004,tier1=9001,…`, the defaults unless set) describe.
 *
 * @throws Error when CONTRACT_URL is missing
 */
export function targetFromEnvironment(env: NodeJS.ProcessEnv = process.env): ContractTarget {
  const url = env["CONTRACT_URL"];
  if (url === undefined)
    throw new Error("Set CONTRACT_URL, or use: npm run contract -- m1 http://127.0.0.1:8080");
  return urlTarget(url, { ...defaultPorts, ...parsePorts(env["CONTRACT_PORTS"] ?? "") });
}

/** Reads `visa=9004,tier1=9001`. @throws RangeError naming the pair that is wrong */
export function parsePorts(text: string): Partial<Record<PlacementName, number>> {
  const ports: Partial<Record<PlacementName, number>> = {};
  for (const pair of text.split(",").filter((each) => each !== "")) {
    const [word, digits = ""] = pair.split("=");
    const name = placementNames.find((each) => each === word);
    if (name === undefined || !/^\d{1,5}$/.test(digits) || Number(digits) > 65_535) {
      throw new RangeError(`Write each port as name=number with ${placementNames.join(", ")}; got "${pair}"`);
    }
    ports[name] = Number(digits);
  }
  return ports;
}
