// A fault of the router's own in what this milestone adds: limits, breakers, retries, and those who count. Nothing here names a
// stage: the folder does.

import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { startCluster } from "../../../shared/testkit/cluster.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { type PlantedFault, plantedFaults } from "../../../shared/testkit/planted-fault.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import type { Stage } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;
const request = "GET / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n";

/** One permit, so that a permit that is not given back is felt by the next request; a breaker that opens at one failure. */
const start = (fault: PlantedFault) =>
  startCluster({
    stage,
    env: plantedFaults([fault]),
    routingFrom: (urls) => ({
      version: "1",
      defaultPlacement: "tier3",
      routingTable: { acme: "tier1" },
      placements: {
        tier1: {
          kind: "tier",
          url: urls["tier1"],
          concurrencyLimit: 1,
          circuitBreaker: { consecutiveFailures: 1, waitMs: 60_000 },
          rateLimit: { ratePerSecond: 1000, burst: 1000 },
          retries: { maxRetries: 2, baseMs: 1, capMs: 2 },
        },
        tier3: { kind: "tier", url: urls["tier3"] },
      },
    }),
  });

const once =
  "globalThis.planted = (globalThis.planted ?? 0) + 1; if (globalThis.planted === 1) throw new Error('planted');";

describe("a fault of the router's own", () => {
  test.each([
    ["in a rate limit", { module: "/resilience.ts", before: "const byKey =", code: once }],
    [
      "in the choice of who serves",
      { module: "/failover.ts", before: "const refusal = admit(primary);", code: once },
    ],
    [
      "in a breaker that is asked",
      { module: "/circuit-breaker.ts", before: 'if (this.#state.kind === "open") {', code: once },
    ],
    [
      "in a breaker that is told",
      { module: "/circuit-breaker.ts", before: "if (generation !== this.#generation) return;", code: once },
    ],
    ["in the retry budget", { module: "/retry-budget.ts", before: "const elapsedMs =", code: once }],
  ])("%s costs one request, no permit, and no breaker", async (_, fault) => {
    await using cluster = await start(fault);
    await using client = await RawClient.connect(cluster.url);
    const response = await client.request(request);
    expect([response.status, response.json()["code"]]).toEqual([500, "router-fault"]);
    for (let n = 0; n < 3; n++) expect((await client.request(request)).status).toBe(200);
    const states = cluster.router.logs().filter(({ event }) => event === "breaker-changed");
    expect(states).toEqual([]);
  });

  test("in the decision to retry is told as one, behind a cell that fails", async () => {
    await using cluster = await start({
      module: "/retry-policy.ts",
      before: "if (settings === undefined)",
      code: once,
    });
    cluster.fault("tier1", { fault: "error", status: 503 });
    const response = await cluster.expectStatus("acme", 500);
    expect(response.json()["code"]).toBe("router-fault");
    await cluster.expectServedBy("unlisted", "tier3");
  });

  test("in one who only counts changes no response", async () => {
    await using cluster = await start({
      module: "/events.ts",
      before: "if (this.#watchers.size === 0 ||",
      code: "throw new Error('planted');",
    });
    await using client = await RawClient.connect(cluster.url);
    for (let n = 0; n < 3; n++) expect((await client.request(request)).status).toBe(200);
    expect(await cluster.router.waitForLog(({ event }) => event === "listener-failed")).toBeDefined();
  });
});
