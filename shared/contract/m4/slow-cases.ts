// Cases that take as long as a time limit or a measured span. They begin first and run beside the others; each has a
// placement of its own, which stands in every table.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RawResponse } from "../../testkit/http-message.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import { path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabCell } from "./lab-cell.ts";

const spanMs = 10_000;
// Low enough for a busy machine to go past it.
const rate = { ratePerSecond: 50, burst: 250 };
const opensAtOnce = { consecutiveFailures: 1, minimumRequests: 1_000_000, waitMs: 60_000 };

interface Cells {
  readonly metered: LabCell;
  readonly hung: LabCell;
  readonly deaf: LabCell;
  readonly paused: LabCell;
}

/** These run beside the cases, so what is a matter of form cannot be told apart: it is left to the others. */
function expectCode(response: RawResponse, status: number, code: string): void {
  expect([response.status, response.json()["code"]]).toEqual([status, code]);
}

type Case = (contract: ResilienceContract) => Promise<void>;

const cases: Readonly<Record<string, Case>> = {
  "a rate limit is kept within 1 % over 10 s, whatever is pushed meanwhile": async (contract) => {
    const { ratePerSecond, burst } = rate;
    const asked = await askPastTheLimit(contract, "metered");
    // A refusal says that the bucket is empty. So what was allowed between two of them is what flowed in between them,
    // however the machine held up either side; the bucket is too large for any pause to fill it.
    const first = asked.findIndex(({ isAllowed }) => !isAllowed);
    const last = asked.findLastIndex(({ isAllowed }) => !isAllowed);
    const [from, to] = [asked[first], asked[last]];
    if (from === undefined || to === undefined) throw new Error("Nothing was refused");
    const allowed = asked.slice(first, last).filter(({ isAllowed }) => isAllowed).length;
    // The router decided on each between its being sent and its response.
    const least = (ratePerSecond * (to.sentAtMs - from.answeredAtMs)) / 1000;
    const most = (ratePerSecond * (to.answeredAtMs - from.sentAtMs)) / 1000;
    const said = `${allowed} of ${last - first} allowed, where the limit says ${least.toFixed(1)} to ${most.toFixed(1)}`;
    console.info(`rate limit: ${said}`);
    expect(to.sentAtMs - from.answeredAtMs, "long enough to judge").toBeGreaterThan(spanMs * 0.8);
    expect(allowed, said).toBeGreaterThanOrEqual(Math.floor(least * 0.99));
    expect(allowed, said).toBeLessThanOrEqual(Math.ceil(most * 1.01) + 1);
    // To the last response of all: after a long pause, the last batch is let through without a refusal.
    const tookMs = (asked.at(-1)?.answeredAtMs ?? 0) - (asked[0]?.sentAtMs ?? 0);
    const all = burst + (ratePerSecond * tookMs) / 1000;
    expect(asked.filter(({ isAllowed }) => isAllowed).length).toBeLessThanOrEqual(Math.ceil(all) + 1);
  },

  "a cell that does not answer in time is a failure, and gives its place back": async (contract) => {
    expect((await contract.ask("hung")).status).toBe(504);
    // Not `overloaded`: the only place is free.
    expectCode(await contract.ask("hung"), 503, "circuit-open");
  },

  "a cell that does not read an upload is a failure": async (contract) => {
    await using client = await RawClient.connect(contract.router.url, { deadlineMs: 30_000 });
    const total = 64_000_000;
    await client.write(requestBytes({ method: "POST", key: "deaf", fields: [`Content-Length: ${total}`] }));
    const sending = client.write(Buffer.alloc(total, "x")).catch(() => {});
    expect((await client.readResponse({ method: "POST" })).status).toBe(504);
    client.reset();
    await sending;
    expectCode(await contract.ask("deaf"), 503, "circuit-open");
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

interface Decided {
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  readonly isAllowed: boolean;
}

/**
 * Asks on one connection, more often than the limit allows, for ten seconds from the first refusal on. A machine that is
 * too busy to go past the limit gets three times as long.
 */
async function askPastTheLimit(contract: ResilienceContract, key: string): Promise<Decided[]> {
  const asked: Decided[] = [];
  const request = requestBytes({ key });
  await using client = await RawClient.connect(contract.router.url, { deadlineMs: 30_000 });
  const startMs = performance.now();
  let firstRefusalMs: number | undefined;
  let lastRefusalMs = startMs;
  let isLimited = false;
  const goesOn = (): boolean => {
    const nowMs = performance.now();
    if (nowMs > startMs + 4 * spanMs) return false;
    if (firstRefusalMs === undefined) return true;
    return nowMs < firstRefusalMs + spanMs || lastRefusalMs < firstRefusalMs + 0.9 * spanMs;
  };
  while (goesOn()) {
    // Until the bucket is empty as fast as it goes: a busy machine might never empty it otherwise.
    const count = isLimited ? 40 : 200;
    const sentAtMs = performance.now();
    await client.write(request.repeat(count));
    isLimited = false;
    for (let n = 0; n < count; n++) {
      const response = await client.readResponse();
      const isAllowed = response.status === 200;
      asked.push({ sentAtMs, answeredAtMs: performance.now(), isAllowed });
      if (isAllowed) continue;
      expectCode(response, 429, "rate-limited");
      isLimited = true;
      lastRefusalMs = performance.now();
      firstRefusalMs ??= lastRefusalMs;
    }
    if (isLimited) await delay(40);
  }
  return asked;
}

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
      metered: await start("metered", (request) => request.respond()),
      hung: await start("hung", () => {}),
      deaf: await start("deaf", ({ req }) => req.pause()),
      paused: await start("paused", async (request) => {
        await request.body();
        request.respond();
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
