// What the protection is for: a cell dies, limits change, and the traffic of everybody else does not notice.

import { describe, expect, test } from "vitest";
import { startCell } from "../../cells/cell.ts";
import { eventually } from "../../testkit/eventually.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import type { ResilienceContract } from "./contract.ts";

interface Tally {
  served: number;
  readonly failures: string[];
}

/** Clients that ask for one key without a pause, each on one connection, until they are stopped. */
class Load {
  readonly tally: Tally = { served: 0, failures: [] };
  readonly #asking: Promise<void>[];
  #done = false;

  constructor(url: string, key: string, clients: number, method: "GET" | "POST") {
    this.#asking = Array.from({ length: clients }, () => this.#ask(url, key, method));
  }

  /** Waits until `count` more requests have been served. */
  async serves(count: number): Promise<void> {
    const until = this.tally.served + count;
    await eventually(() => this.tally.served >= until, { what: "requests are served", deadlineMs: 15_000 });
  }

  async stop(): Promise<void> {
    this.#done = true;
    await Promise.all(this.#asking);
  }

  async #ask(url: string, key: string, method: string): Promise<void> {
    while (!this.#done) {
      await using client = await RawClient.connect(url);
      let isOpen = true;
      while (isOpen && !this.#done) {
        const bytes = requestBytes({ key, method, ...(method === "POST" ? { body: "pay" } : {}) });
        const response = await client.request(bytes).catch((error: unknown) => String(error));
        const isWhole = typeof response !== "string" && response.ending === "complete";
        isOpen = isWhole && response.headers.one("connection") !== "close";
        if (isWhole && response.status === 200) this.tally.served += 1;
        else
          this.tally.failures.push(
            typeof response === "string" ? response : `${response.status} ${response.ending}`,
          );
        // A millisecond between two requests leaves the processor to the other processes of the test.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }
}

export function describeUnderLoad(contract: ResilienceContract): void {
  const clients = 4;
  const health = { intervalMs: 50, timeoutMs: 1000, rise: 2, fall: 2 };

  describe("under load", () => {
    test.each<["GET" | "POST", object]>([
      ["GET", { retries: {} }],
      ["POST", {}],
    ])(
      "one of four cells is killed (%s): the others lose nothing, its own no more than what was under way",
      async (method, more) => {
        await using stack = new AsyncDisposableStack();
        const cells = await Promise.all(
          ["one", "two", "three", "four"].map(async (name) => stack.use(await startCell({ name }))),
        );
        const [one, two, three, four] = cells.map((cell) => ({
          cell,
          health,
          circuitBreaker: { waitMs: 200 },
          ...more,
        }));
        if (one === undefined) throw new Error("There is no first cell");
        const placements = {
          one: { ...one, fallback: ["two"] },
          two: { ...two },
          three: { ...three },
          four: { ...four },
        };
        await contract.apply(placements, { retryBudget: { minPerSecond: 100, maxBalance: 100 } });
        const loads = ["one", "two", "three", "four"].map(
          (key) => new Load(contract.router.url, key, clients, method),
        );
        const [killed, ...others] = loads;
        if (killed === undefined) throw new Error("There is no first load");
        try {
          await killed.serves(50);
          await one.cell.close();
          await Promise.all(loads.map((load) => load.serves(100)));
          await using _ = await startCell({ name: "one", port: one.cell.port });
          await contract.servedBy("one", "one");
          await Promise.all(loads.map((load) => load.serves(50)));
          await Promise.all(loads.map((load) => load.stop()));
        } finally {
          await Promise.all(loads.map((load) => load.stop()));
        }
        for (const { tally } of others) expect(tally.failures).toEqual([]);
        if (method === "GET") expect(killed.tally.failures).toEqual([]);
        else expect(killed.tally.failures.length).toBeLessThanOrEqual(clients);
      },
    );

    test("fifty pushes that change every limit fail no request that the limits allow", async () => {
      await using one = await startCell({ name: "one" });
      const wide = { ratePerSecond: 100_000, burst: 100_000 };
      const settings = [
        {},
        { rateLimit: wide, concurrencyLimit: 100 },
        { rateLimit: { ...wide, burst: 50_000 }, health, circuitBreaker: {}, retries: {} },
        {
          concurrencyLimit: 50,
          health: { ...health, fall: 5 },
          circuitBreaker: { windowMs: 5000 },
          fallback: ["shared"],
        },
        { health, retries: { maxRetries: 1 } },
      ];
      await contract.apply({ one: { cell: one } });
      const loads = (["GET", "POST"] as const).map(
        (method) => new Load(contract.router.url, "one", clients, method),
      );
      try {
        for (let round = 0; round < 50; round++) {
          const keyLimits = round % 2 === 0 ? {} : { keyLimits: { one: wide } };
          await contract.apply({ one: { cell: one, ...settings[round % settings.length] } }, keyLimits);
          await Promise.all(loads.map((load) => load.serves(1)));
        }
      } finally {
        await Promise.all(loads.map((load) => load.stop()));
      }
      expect(loads.flatMap(({ tally }) => tally.failures)).toEqual([]);
    });
  });
}
