// What m4 promises, shown: cells are killed, broken, flooded and slowed, and each router acts on what it sees itself.
// Who may stand in for whom stands in the table; where nobody may, the tenant waits rather than meets another one.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Demo, DemoContext } from "../demo.ts";
import { faultOf } from "../demo-expect.ts";
import { ask } from "../http-request.ts";
import { editFile, type RoutingFile } from "./routing-file.ts";

/** Room for a busy machine: the waits of the table below are all under two seconds. */
const patientMs = 15_000;

export const demo: Demo = {
  steps: [
    {
      title: "The table says what protects each placement",
      why: "Nothing is protected unless the table says so; a table of m3 works here as it is.",
      run: async (demo) => {
        const words =
          "all that routing.resilience.json protects with, and waits that one can watch, version 2.0.0";
        editFile(demo, words, (file) => protect(file, settingsOf(demo)));
        await demo.factBecomes("/debug/config", ["source", "version"], {
          // A port may follow the control plane's file instead.
          source: followsFile(demo) ? /^file$/ : /^control-plane$/,
          version: /^2\.0\.0$/,
        });
        await demo.ask({ key: "acme", path: "/pay", expect: servedBy("tier1") });
      },
    },
    {
      title: "A tenant sends too much",
      why: "A token bucket of three is empty after three; it fills by one in ten seconds. Others have buckets of their own.",
      run: async (demo) => {
        for (let n = 0; n < 3; n++)
          await demo.ask({ key: "initech", path: "/pay", expect: servedBy("tier3") });
        await demo.ask({ key: "initech", path: "/pay", expect: refused(429) });
        await demo.ask({ key: "someone-new", path: "/pay", expect: servedBy("tier3") });
      },
    },
    {
      title: "A cell dies, and another one may stand in",
      why: "First a connection fails and the next in the chain is asked; then the health check keeps requests away.",
      run: async (demo) => {
        demo.act("kill cell tier1 (SIGKILL)");
        await demo.cell("tier1").kill();
        await demo.ask({ key: "acme", path: "/pay", expect: fallback(/^(connect-failed|unhealthy)$/) });
        await demo.askUntil({ key: "acme", path: "/pay", expect: fallback(/^unhealthy$/) }, patientMs);
        demo.act("start cell tier1");
        await demo.cell("tier1").start();
        await demo.askUntil({ key: "acme", path: "/pay", expect: servedBy("tier1") }, patientMs);
      },
    },
    {
      title: "A cell fails while its health check is fine",
      why: "The breaker counts what clients get. It opens, waits, and lets one request try before it closes again.",
      run: async (demo) => {
        demo.act("tier1 answers every request but the health check with 503");
        await demo.cell("tier1").fault({ fault: "error", status: 503, healthToo: false });
        await demo.ask({ key: "acme", path: "/pay", expect: { status: 503, routedTo: "tier1" } });
        await demo.askUntil({ key: "acme", path: "/pay", expect: fallback(/^circuit-open$/) }, patientMs);
        demo.act("tier1 works again");
        await demo.cell("tier1").fault({ fault: "none" });
        await demo.askUntil({ key: "acme", path: "/pay", expect: servedBy("tier1") }, patientMs);
      },
    },
    {
      title: "A dedicated cell dies, and nobody may stand in",
      why: "Isolation before availability: visa gets a quick 503 and a time to come back, never another tenant's cell.",
      run: async (demo) => {
        demo.act("kill cell visa (SIGKILL)");
        await demo.cell("visa").kill();
        await demo.ask({ key: "visa", path: "/pay", expect: { status: 502, routedTo: "visa" } });
        await demo.askUntil({ key: "visa", path: "/pay", expect: refused(503) }, patientMs);
        await demo.ask({ key: "acme", path: "/pay", expect: servedBy("tier1") });
        demo.act("start cell visa");
        await demo.cell("visa").start();
        await demo.askUntil({ key: "visa", path: "/pay", expect: servedBy("visa") }, patientMs);
      },
    },
    {
      title: "A cell is slow",
      why: "Two requests may wait for tier3, a third is told at once: a slow cell cannot hold what others need.",
      run: slowCell,
    },
    {
      title: "Every second response is an error",
      why: "A GET is tried again, within a budget. A POST is not: nobody knows what the cell had done with it.",
      run: async (demo) => {
        demo.act("tier2 answers every second request with 503");
        await demo.cell("tier2").fault({ fault: "error", status: 503, healthToo: false, ratio: 0.5 });
        const retried = { ...servedBy("tier2"), headers: { "x-cell": "tier2", "x-retry-count": "1" } };
        await demo.askUntil({ key: "globex", path: "/pay", expect: retried }, patientMs);
        const post = { key: "globex", method: "POST", path: "/pay", body: "amount=1" };
        await demo.askUntil({ ...post, expect: { status: 503, routedTo: "tier2" } }, patientMs);
        await demo.cell("tier2").fault({ fault: "none" });
      },
    },
  ],
  tryThis: (stack) => [
    `curl -N ${stack.routers[0]?.adminUrl}/events`,
    `curl -s ${stack.routers[0]?.adminUrl}/metrics | grep '^cell_router_'`,
    `kill -9 ${stack.cells.get("tier1")?.pid} && curl -i -H 'X-Routing-Key: acme' ${stack.routers[0]?.url}/pay`,
  ],
};

/** The stage's table with everything switched on, as the README shows it. */
function settingsOf(demo: DemoContext): RoutingFile {
  const file = join(demo.stack.options.stageFolder, "routing.resilience.json");
  return JSON.parse(readFileSync(file, "utf8")) as RoutingFile;
}

function followsFile({ stack }: DemoContext): boolean {
  const { ported, stage } = stack.options;
  return ported?.router.followsFile.includes(stage) === true;
}

/** Lays the settings over the stack's own table, whose URLs stay. */
function protect(file: RoutingFile, { placements, routingTable: _, ...settings }: RoutingFile): void {
  const breaker = { consecutiveFailures: 3, waitMs: 1000, maxWaitMs: 2000, halfOpenProbes: 1 };
  // So that each step shows one thing: retries only where they are what is shown, and a breaker not there.
  const shown: Record<string, object> = {
    tier1: { health: { intervalMs: 200, timeoutMs: 500 }, circuitBreaker: breaker, retries: undefined },
    tier2: { circuitBreaker: undefined, retries: { maxRetries: 1 } },
    tier3: { concurrencyLimit: 2 },
    visa: { circuitBreaker: breaker, retries: undefined },
  };
  for (const [name, placement] of Object.entries(file.placements))
    Object.assign(placement, placements[name], shown[name], { url: placement.url });
  Object.assign(file, settings, {
    version: "2.0.0",
    keyLimits: { initech: { ratePerSecond: 0.1, burst: 3 } },
  });
}

/** Served by the placement that the key leads to. */
function servedBy(cell: string) {
  return { status: 200, routedTo: cell, headers: { "x-cell": cell, "x-failover-from": undefined } };
}

/** Served by tier2, because tier1 could not. */
function fallback(reason: RegExp) {
  return {
    status: 200,
    routedTo: "tier2",
    headers: { "x-cell": "tier2", "x-failover-from": "tier1", "x-failover-reason": reason },
  };
}

function refused(status: number) {
  return { status, headers: { "retry-after": /^\d+$/, "x-failover-from": undefined } };
}

async function slowCell(demo: DemoContext): Promise<void> {
  const cell = demo.cell("tier3");
  demo.act("tier3 takes three seconds for each response; two requests are under way to it");
  await cell.fault({ fault: "slow", delayMs: 3000 });
  // Not shown as they are sent: three requests above one response would leave open which of them it answers.
  const url = `${demo.router.url}/pay`;
  const underWay = [1, 2].map(() => ask({ url, headers: { "X-Routing-Key": "someone-new" } }));
  // They are awaited below; a step that fails before must not make their end an error of its own.
  for (const each of underWay) each.catch(() => {});
  await demo.until("two requests are under way to tier3", async () => (await cell.inFlight()) === 2);
  await demo.ask({ key: "someone-new", path: "/pay", expect: refused(503) });
  await demo.ask({ key: "globex", path: "/pay", expect: servedBy("tier2") });
  for (const response of await Promise.all(underWay)) {
    const fault = faultOf(response, servedBy("tier3"));
    demo.check(fault === undefined ? undefined : `one of the two: ${fault}`);
  }
  demo.act("now the two responses of tier3 have arrived: 200 and 200");
  await cell.fault({ fault: "none" });
}
