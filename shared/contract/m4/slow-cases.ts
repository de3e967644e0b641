// Cases that take as long as a time limit or a measured span. They begin first and run beside the others; each has a
// placement of its own, which stands in every table.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import { expectRefused, path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabCell } from "./lab-cell.ts";

const spanMs = 10_000;
const rate = { ratePerSecond: 100, burst: 100 };
const opensAtOnce = { consecutiveFailures: 1, minimumRequests: 1_000_000, waitMs: 60_000 };

interface Cells {
  readonly metered: LabCell;
  readonly hung: LabCell;
  readonly deaf: LabCell;
  readonly paused: LabCell;
}

type Case = (contract: ResilienceContract) => Promise<void>;

const cases: Readonly<Record<string, Case>> = {
  "a rate limit is kept within 1 % over 10 s, whatever is pushed meanwhile": async (contract) => {
    const allowed: number[] = [];
    let refused = 0;
    const startedAt = performance.now();
    const lastSentAt: number[] = [];
    const ask = async (): Promise<void> => {
      await using client = await RawClient.connect(contract.router.url, { deadlineMs: 30_000 });
      const batch = requestBytes({ key: "metered" }).repeat(10);
      let sentAt = 0;
      while (performance.now() - startedAt < spanMs) {
        sentAt = performance.now();
        await client.write(batch);
        for (let n = 0; n < 10; n++) {
          const answer = await client.readResponse();
          if (answer.status === 200) allowed.push(performance.now());
          else {
            expectRefused(answer, 429, "rate-limited");
            refused += 1;
          }
        }
        await delay(10);
      }
      lastSentAt.push(sentAt);
    };
    await Promise.all([ask(), ask(), ask()]);
    const endedAt = performance.now();
    const { ratePerSecond, burst } = rate;
    const most = burst + (ratePerSecond * (endedAt - startedAt)) / 1000;
    const asked = Math.max(...lastSentAt) - startedAt;
    const least = burst + (ratePerSecond * asked) / 1000;
    const said = `${allowed.length} allowed, ${refused} refused in ${Math.round(endedAt - startedAt)} ms`;
    console.info(
      `rate limit: ${said}; ${burst} + ${ratePerSecond}/s allow ${least.toFixed(1)} to ${most.toFixed(1)}`,
    );
    expect(refused, "more was asked for than allowed").toBeGreaterThan(allowed.length / 4);
    expect(allowed.length, said).toBeLessThanOrEqual(Math.floor(most) + 1);
    expect(allowed.length, said).toBeGreaterThanOrEqual(Math.floor(least * 0.99));
  },

  "a cell that does not answer in time is a failure, and gives its place back": async (contract) => {
    expect((await contract.ask("hung")).status).toBe(504);
    // Not `overloaded`: the only place is free.
    expectRefused(await contract.ask("hung"), 503, "circuit-open");
  },

  "a cell that does not read an upload is a failure": async (contract) => {
    await using client = await RawClient.connect(contract.router.url, { deadlineMs: 30_000 });
    const total = 64_000_000;
    await client.write(requestBytes({ method: "POST", key: "deaf", fields: [`Content-Length: ${total}`] }));
    const sending = client.write(Buffer.alloc(total, "x")).catch(() => {});
    expect((await client.readResponse({ method: "POST" })).status).toBe(504);
    client.reset();
    await sending;
    expectRefused(await contract.ask("deaf"), 503, "circuit-open");
  },

  "a client that pauses in its upload is served in the end: its cell has not failed": async (contract) => {
    await using client = await RawClient.connect(contract.router.url, { deadlineMs: 30_000 });
    await client.write(requestBytes({ method: "POST", key: "paused", fields: ["Content-Length: 20"] }));
    await client.write("some of it");
    await delay(11_000);
    await client.write(", the rest");
    expect(path(await client.readResponse({ method: "POST" }))).toEqual(plainly("paused"));
    expect(path(await contract.ask("paused"))).toEqual(plainly("paused"));
  },
};

export interface SlowCases {
  /** Registers the tests that wait for the cases. */
  describe(): void;
}

/** Starts the cases at the beginning of the surrounding `describe`. */
export function startSlowCases(contract: ResilienceContract): SlowCases {
  const started = new Map<string, Promise<unknown>>();
  const cells: LabCell[] = [];
  beforeAll(async () => {
    const start = async (name: string, handler: LabCell["handler"]): Promise<LabCell> => {
      const cell = await contract.cell(name, handler);
      cells.push(cell);
      return cell;
    };
    const own: Cells = {
      metered: await start("metered", (request) => request.answer()),
      hung: await start("hung", () => {}),
      deaf: await start("deaf", ({ req }) => req.pause()),
      paused: await start("paused", async (request) => {
        await request.body();
        request.answer();
      }),
    };
    const guarded = { concurrencyLimit: 1, circuitBreaker: opensAtOnce };
    contract.keep(
      {
        metered: { cell: own.metered },
        hung: { cell: own.hung, ...guarded },
        deaf: { cell: own.deaf, ...guarded },
        paused: { cell: own.paused, circuitBreaker: opensAtOnce },
      },
      { keyLimits: { metered: rate } },
    );
    await contract.apply({});
    for (const [title, run] of Object.entries(cases)) {
      // Settled into a value: a rejection that nobody awaits yet would end the test process.
      const settled = run(contract).then(
        () => undefined,
        (error: unknown) => error,
      );
      started.set(title, settled);
    }
  });
  afterAll(async () => {
    await Promise.all(started.values());
    await Promise.all(cells.map((cell) => cell.down()));
  });
  return {
    describe: () =>
      describe("in the long run", () => {
        for (const title of Object.keys(cases)) {
          test(title, async () => {
            const error = await started.get(title);
            if (error !== undefined) throw error;
          });
        }
      }),
  };
}
