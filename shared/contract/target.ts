// What a contract suite is run against: anything that serves the routing table of the contract at a URL. A suite hosts
// the four endpoints itself and hands their addresses over; how a router learns them is the target's business.

import type { PlacementName } from "../testkit/cluster.ts";
import { withFilesUpTo } from "../testkit/log-places.ts";
import { pidsListeningOn, withDescendants } from "../testkit/process-by-port.ts";
import type { Program } from "../testkit/program.ts";
import {
  type EndpointUrls,
  type ExitStatus,
  type LogLine,
  type RouterOptions,
  type RouterProcess,
  type Stage,
  spawnRouter,
  startRouter,
} from "../testkit/router-process.ts";
import { defaultPorts, parsePorts } from "./ports.ts";

export interface RunningRouter {
  readonly url: string;
  /** The router's processes, for resident memory; empty where they are not known. */
  pids(): readonly number[];
  /** Its access log so far; absent where the suite cannot read it. */
  readonly logs?: () => readonly LogLine[];
  /** How its process ended, with its last words; undefined while it runs. Absent where the suite did not start it. */
  readonly howItEnded?: () => string | undefined;
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
/** A program that is a router, with its arguments; absent: the stage of this repository. */
export type RouterCommand = readonly string[] | undefined;

export interface ContractTarget {
  /** Ports that the suite's endpoints must take; absent: any free ones. */
  readonly ports?: Readonly<Record<PlacementName, number>>;
  /** Called once, when the endpoints listen. */
  start(endpoints: EndpointUrls): Promise<RunningRouter>;
  /** Starts one more router; absent where the suite did not start the first one. */
  startLoggingTo?(output: LogOutput, endpoints: EndpointUrls): Promise<LoggingRouter>;
}

/** A stage of this repository, or a program that promises the same, started on free ports. */
export function stageTarget(stage: Stage, command?: RouterCommand): ContractTarget {
  return {
    start: async (endpoints) => {
      const router = await startRouter({ stage, endpoints, ...commandOption(command) });
      return { ...handleOf(router), close: async () => void (await router.stop("SIGKILL")) };
    },
    startLoggingTo: (output, endpoints) => startLoggingTo(stage, output, endpoints, command),
  };
}

/** A router whose standard output this process does not read: a stage, or a program that promises the same. */
export function startLoggingTo(
  stage: Stage,
  { maxFileKib, ...output }: LogOutput,
  endpoints: EndpointUrls = {},
  command?: RouterCommand,
): Promise<LoggingRouter> {
  const options = { stage, endpoints, output, ...commandOption(command) };
  if (maxFileKib === undefined) return spawnRouter(options);
  // The compile cache is made of files, too.
  const env = { NODE_DISABLE_COMPILE_CACHE: "1" };
  return spawnRouter({ ...options, env, launcher: withFilesUpTo(maxFileKib) });
}

/** A command may be a wrapper such as npx, which hands no signal on: its whole group gets it. */
export function commandOption(command: RouterCommand): Pick<RouterOptions, "command" | "ownGroup"> {
  return command === undefined ? {} : { command, ownGroup: true };
}

/** What every suite wants of a router that it has started. */
export function handleOf(router: RouterProcess) {
  return {
    url: router.url,
    pids: () => withDescendants(router.pid),
    logs: () => router.logs(),
    howItEnded: () => endOf(router.program),
  };
}

/** How a program ended, with what it printed last; undefined while it runs. */
export function endOf(program: Program): string | undefined {
  const how = program.howItEnded();
  if (how === undefined) return undefined;
  const last = program.lastLines().filter((line) => !line.includes('"event":"request"'));
  return `The router's process ${how}. Its last lines:\n${last.map((line) => `  ${line}`).join("\n") || "  (none)"}`;
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

/** What `npm run contract` hands over to a suite. */
export interface ContractSettings {
  /** The program to start; then there is no URL. */
  readonly command: RouterCommand;
  readonly url: string | undefined;
  readonly adminUrl: string | undefined;
  readonly routingFile: string | undefined;
  readonly ports: Readonly<Record<PlacementName, number>>;
}

/** Reads `CONTRACT_START` (a JSON list of words) or `CONTRACT_URL`, `CONTRACT_ADMIN_URL`, `CONTRACT_PORTS`, `CONTRACT_ROUTING_FILE`. */
export function readContractSettings(env: NodeJS.ProcessEnv = process.env): ContractSettings {
  const start = env["CONTRACT_START"];
  return {
    command: start === undefined ? undefined : (JSON.parse(start) as string[]),
    url: env["CONTRACT_URL"],
    adminUrl: env["CONTRACT_ADMIN_URL"],
    routingFile: env["CONTRACT_ROUTING_FILE"],
    ports: { ...defaultPorts, ...parsePorts(env["CONTRACT_PORTS"] ?? "") },
  };
}
