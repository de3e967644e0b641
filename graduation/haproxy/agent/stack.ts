// A running stack with HAProxy in it: the demo cells, m4's control plane, and agents, each with its HAProxy. The same handles
// as any other stack: stop, kill, restart, disturb.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Stack, startStack } from "../../../scripts/stack.ts";
import { stageFolder } from "../../../scripts/stages.ts";
import { systemClock } from "../../../stages/m4/src/clock.ts";
import { Master } from "./master.ts";
import { filesIn } from "./master-files.ts";

export interface AgentStackOptions {
  /** Folder for everything that is written. Emptied at the start; keep it short, because it holds sockets. */
  readonly stateFolder: string;
  /** @default 1 */
  readonly agents?: number;
  /** The first agent's port for clients, with the others beside it as in any stack. @default 0: free ports */
  readonly port?: number;
  /** Every line that an agent or the control plane prints. */
  readonly onLine?: (source: string, line: string, stream: "stdout" | "stderr") => void;
}

export const agentProgram = fileURLToPath(new URL("./main.ts", import.meta.url));

/** What a stack has to know of a router that is not a stage's own. */
export const haproxyAgent = { name: "haproxy", stages: ["m4"], followsFile: [] } as const;

/** What a judge of its responses has to know of HAProxy. */
export const haproxyWays = {
  /** Beside m4's: it does not tell why an attempt failed. */
  engineReasons: ["retried"],
  /** Longer than three attempts of 30 s: HAProxy 2.6 has one time limit for a response's head and for the silence in its body. */
  clientTimeoutMs: 100_000,
} as const;

export async function startAgentStack(options: AgentStackOptions): Promise<Stack> {
  const { stateFolder, agents = 1, port = 0, onLine } = options;
  const start = startStack({
    stage: "m4",
    port,
    routers: agents,
    stageFolder: stageFolder("m4"),
    stateFolder,
    ported: { router: haproxyAgent, program: agentProgram, runs: "node" },
    ...(onLine && { onLine }),
  });
  // An agent that is killed with the rest of a start that fails may have started its HAProxy already.
  const stack = await start.catch(async (error: unknown) => {
    await stopOrphans(stateFolder, agents);
    throw error;
  });
  const stop = async (): Promise<void> => {
    await stack.stop();
    await stopOrphans(stateFolder, agents);
  };
  return { ...stack, stop, [Symbol.asyncDispose]: stop };
}

/** HAProxy outlives an agent that was killed. */
async function stopOrphans(stateFolder: string, agents: number): Promise<void> {
  const names = agents === 1 ? ["router"] : Array.from({ length: agents }, (_, at) => `router-${at + 1}`);
  for (const name of names) {
    const orphan = await Master.find(filesIn(join(stateFolder, name, "haproxy")), systemClock);
    await orphan?.stop(0);
  }
}
