// What reloads cost the traffic: gameday's clients and tables, and its judge. Its two tables differ in a placement, so each push
// is a reload. The clients keep their connections, repeat nothing, and ask for small and large bodies, and for slow ones.

import { BrokenPromiseError } from "../../../scripts/command-line.ts";
import { Operator } from "../../../scripts/gameday/operator.ts";
import { GamedayRecord } from "../../../scripts/gameday/record.ts";
import { keys } from "../../../scripts/gameday/tables.ts";
import { runClient } from "../../../scripts/load/clients.ts";
import type { Stack } from "../../../scripts/stack.ts";
import { quantile } from "./measure-changes.ts";

export interface ReloadCost {
  readonly reloads: number;
  readonly clients: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Every request that was not served whole, by the placement that a table in use names. */
  readonly failed: number;
  /** What broke an invariant, in words. */
  readonly violations: readonly string[];
  readonly p50Ms: number;
  readonly maxMs: number;
}

const clientCount = 16;

export async function measureReloads(stack: Stack, reloads: number, seed = 1): Promise<ReloadCost> {
  const [router] = stack.routers;
  if (router === undefined) throw new BrokenPromiseError("half a stack");
  const record = new GamedayRecord();
  const operator = new Operator(stack, record);
  await operator.begin();
  const before = await reloadsOf(router.adminUrl);
  const done = new AbortController();
  const startedAtMs = performance.now();
  let requests = 0;
  const failures: string[] = [];
  const clients = Array.from({ length: clientCount }, (_, number) =>
    runClient(
      {
        router: router.url,
        seed,
        number,
        keys,
        idOf: (n) => `reload-${number}-${n}`,
        look: () => {
          const tables = record.tablesOf(router.url);
          return () => ({
            tables: [...new Set([...tables, ...record.tablesOf(router.url)])],
            isDisturbed: () => false,
          });
        },
        onEnd: (verdict, what, fromMs, toMs) => {
          requests += 1;
          if (verdict.outcome !== "served") failures.push(what);
          record.ended(verdict, what, fromMs, toMs);
        },
      },
      done.signal,
    ),
  );
  const tookMs: number[] = [];
  try {
    for (let n = 0; n < reloads; n++) {
      const pushedAtMs = performance.now();
      const undo = await operator.disturb({ kind: "table-push", atMs: 0, untilMs: 0 });
      await undo();
      tookMs.push(performance.now() - pushedAtMs);
    }
  } finally {
    done.abort();
    await Promise.all(clients);
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  return {
    reloads: (await reloadsOf(router.adminUrl)) - before,
    clients: clientCount,
    requests,
    requestsPerSecond: Math.round(requests / seconds),
    failed: failures.length,
    violations: [...record.violations, ...failures],
    p50Ms: quantile(tookMs, 0.5),
    maxMs: quantile(tookMs, 1),
  };
}

/** How often HAProxy has been reloaded, as the agent reads it from the master. */
async function reloadsOf(adminUrl: string): Promise<number> {
  const config = (await (await fetch(`${adminUrl}/debug/config`)).json()) as {
    readonly haproxy: { readonly reloads: number };
  };
  return config.haproxy.reloads;
}
