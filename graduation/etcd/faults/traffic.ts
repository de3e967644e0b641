// Steady requests through the routers while faults happen. No fault of a round touches a cell or a router, so each request
// must be served by the placement that every table of the round names.

import { setTimeout as delay } from "node:timers/promises";
import { ask } from "../../../scripts/http-request.ts";

/** Between two requests to one router, in milliseconds. */
const pauseMs = 20;

const expected = [
  ["acme", "tier1"],
  ["unlisted", "tier3"],
] as const;

export class Traffic {
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  readonly failures: string[] = [];
  requests = 0;

  constructor(routerUrls: readonly string[]) {
    this.#running = Promise.all(routerUrls.map((url) => this.#run(url)));
  }

  /** Resolves when the requests under way have ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(url: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const [key, cell] of expected) await this.#request(url, key, cell);
      await delay(pauseMs);
    }
  }

  async #request(url: string, key: string, cell: string): Promise<void> {
    this.requests += 1;
    try {
      const { status, headers } = await ask({ url, headers: { "X-Routing-Key": key }, timeoutMs: 10_000 });
      if (status !== 200 || headers["x-cell"] !== cell)
        this.failures.push(`${key}: ${status} from cell ${headers["x-cell"]}`);
    } catch (error) {
      this.failures.push(`${key}: ${error instanceof Error ? error.message : error}`);
    }
  }
}
