// A router of several workers, and what its tests ask of it.

import { once } from "node:events";
import { Agent, get } from "node:http";
import { type Cluster, type ClusterOptions, startCluster } from "../../../shared/testkit/cluster.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { withDescendants } from "../../../shared/testkit/process-by-port.ts";

export const patient = { timeout: 120_000 };
export const deadlineMs = 60_000;
export const request = (path = "/") => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n`;
export const gone = { code: 0, signal: null };

export function startWorkers(options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const env = { WORKERS: "2", ...options.env };
  return startCluster({ ...options, stage: "m5", env, readyDeadlineMs: deadlineMs });
}

export function workersOf({ router }: Cluster): number[] {
  return withDescendants(router.pid).filter((pid) => pid !== router.pid);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function untilGone(pids: readonly number[]): Promise<void> {
  await eventually(() => !pids.some(isAlive), { what: "no worker is left", deadlineMs });
}

export async function roll({ router }: Cluster): Promise<void> {
  const isDone = ({ event }: Readonly<Record<string, unknown>>) => event === "workers-replaced";
  const before = router.logs().filter(isDone).length;
  router.signal("SIGHUP");
  await eventually(() => router.logs().filter(isDone).length > before, {
    what: "the workers are replaced",
    deadlineMs,
  });
}

/** How many requests the router says it has had. */
export async function countedBy({ router }: Cluster): Promise<number> {
  const response = await fetch(`${router.ready["adminUrl"]}/metrics`, { headers: { connection: "close" } });
  const counts = (await response.text()).matchAll(/^cell_router_requests_total\{.*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Clients that ask without a pause until they are told to stop, some on kept connections and some on a new one each time. */
export class Load {
  readonly failures: string[] = [];
  responses = 0;
  #stopped = false;
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 6 });
  readonly #clients: Promise<void>[];

  constructor(url: string) {
    this.#url = url;
    this.#clients = Array.from({ length: 12 }, (_, at) => this.#run(at % 2 === 0 ? this.#agent : false));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
  }

  async #run(agent: Agent | false): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#ask(agent);
        this.responses += 1;
      } catch (error) {
        this.failures.push(`${agent === false ? "new" : "kept"} connection: ${error}`);
      }
    }
  }

  async #ask(agent: Agent | false): Promise<void> {
    const asked = get(this.#url, { agent, headers: { "X-Routing-Key": "acme" } });
    const [response] = await once(asked, "response");
    response.resume();
    await once(response, "end");
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
  }
}
