// What goes wrong in the router itself: it is paused, or has no descriptors left. It needs the process itself, so it is no
// part of the black-box contract. Nothing here names a stage: the folder does.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type Cluster, type ClusterOptions, startCluster } from "../../../shared/testkit/cluster.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { type Stage, spawnRouter } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;
const patient = { timeout: 120_000 };
const deadlineMs = 30_000;
const request = (path = "/") => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n`;
const circuitBreaker = { consecutiveFailures: 1, minimumRequests: 1000, waitMs: 60_000, maxWaitMs: 60_000 };

/** One failure opens the breaker, and one failed probe makes a cell unhealthy; another tier would then serve. */
function startSensitive(options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  return startCluster({
    stage,
    readyDeadlineMs: deadlineMs,
    routingFrom: (urls) => ({
      version: "1",
      defaultPlacement: "tier3",
      routingTable: { acme: "tier1" },
      placements: {
        tier1: { kind: "tier", url: urls["tier1"], fallback: ["tier2"], circuitBreaker },
        tier2: { kind: "tier", url: urls["tier2"] },
        tier3: { kind: "tier", url: urls["tier3"] },
      },
    }),
    ...options,
  });
}

function stateChanges({ router }: Cluster): unknown[] {
  return router.logs().filter(({ event }) => event === "breaker-changed" || event === "health-changed");
}

async function isRefused(url: string): Promise<boolean> {
  try {
    await (await RawClient.connect(url)).close();
    return false;
  } catch {
    return true;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const passed = (ms: number, since = performance.now()) =>
  eventually(() => performance.now() - since > ms, { what: "the pause is over", deadlineMs: ms * 3 });

describe("a router that stood still", () => {
  test("reads what the cells had sent before it judges anybody", patient, async () => {
    await using cluster = await startSensitive({ env: { HEAD_TIMEOUT_MS: "2000" } });
    cluster.fault("tier1", { fault: "slow", delayMs: 500 });
    const clients = await Promise.all([1, 2, 3, 4].map(() => RawClient.connect(cluster.url)));
    await Promise.all(clients.map((client) => client.write(request())));
    await eventually(() => cluster.cell("tier1").stats().inFlight === 4, { what: "all are under way" });
    cluster.router.signal("SIGSTOP");
    await passed(4_000);
    cluster.router.signal("SIGCONT");
    const statuses = await Promise.all(clients.map(async (client) => (await client.readResponse()).status));
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect(stateChanges(cluster)).toEqual([]);
    for (const client of clients) await client.close();
  });

  test("blames no cell for the probes that it could not wait for", patient, async () => {
    const health = { path: "/healthz", intervalMs: 50, timeoutMs: 800, rise: 1, fall: 1 };
    await using cluster = await startSensitive({
      routingFrom: (urls) => ({
        version: "1",
        defaultPlacement: "tier1",
        routingTable: {},
        placements: { tier1: { kind: "tier", url: urls["tier1"], health } },
      }),
    });
    // So that a probe is under way nearly whenever the router is stopped.
    cluster.fault("tier1", { fault: "slow", delayMs: 200, healthToo: true });
    for (let n = 0; n < 5; n++) {
      cluster.router.signal("SIGSTOP");
      await passed(1_000);
      cluster.router.signal("SIGCONT");
      await cluster.expectServedBy("acme", "tier1");
    }
    expect(stateChanges(cluster)).toEqual([]);
  });

  test("ends its stop all the same, with a log that nobody reads", patient, async () => {
    await using cluster = await startSensitive();
    cluster.fault("tier1", { fault: "slow", delayMs: 60_000 });
    await using waiting = await RawClient.connect(cluster.url);
    await waiting.write(request());
    cluster.router.stallOutputs();
    // Long lines, until a write of the log waits for its reader.
    await using busy = await RawClient.connect(cluster.url);
    for (let n = 0; n < 500; n++) await busy.request(`GET /${"x".repeat(4_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    cluster.router.signal("SIGTERM");
    await eventually(() => isRefused(cluster.url), { what: "the router begins to stop" });
    cluster.router.signal("SIGSTOP");
    // By then all that a stop waits for is overdue at once.
    await passed(12_000);
    cluster.router.signal("SIGCONT");
    await eventually(() => !isAlive(cluster.router.pid), { what: "the end of the router", deadlineMs });
  });
});

describe("a router without free descriptors", () => {
  const limitDescriptors = (pid: number, limit: number) =>
    spawnSync("prlimit", [`--pid=${pid}`, `--nofile=${limit}:`]);
  const openDescriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).map(Number);
  const limitable = spawnSync("prlimit", ["--version"]).status === 0;

  /** Takes every free descriptor, and the possibility of more, from a process. */
  function exhaust(pid: number): void {
    const open = new Set(openDescriptors(pid));
    let free = 0;
    while (open.has(free)) free++;
    limitDescriptors(pid, free);
  }

  test.skipIf(!limitable)("says so, blames no cell, and recovers by itself", patient, async () => {
    await using cluster = await startSensitive();
    await using client = await RawClient.connect(cluster.url);
    await using second = await RawClient.connect(cluster.url);
    expect((await second.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status, "both are accepted").toBe(400);
    exhaust(cluster.router.pid);
    for (let n = 0; n < 5; n++) {
      const response = await client.request(request("/none"));
      expect([response.status, response.json()["code"]]).toEqual([503, "router-exhausted"]);
      expect(response.headers.one("retry-after")).toBe("1");
      expect(response.headers.one("x-failover-from")).toBeUndefined();
    }
    const line = await cluster.router.waitForLog(({ path }) => path === "/none");
    expect(line).toMatchObject({ outcome: "complete", code: "router-exhausted", cause: "EMFILE" });
    limitDescriptors(cluster.router.pid, 4096);
    expect((await client.request(request())).status).toBe(200);
    expect(stateChanges(cluster)).toEqual([]);
    expect(cluster.cell("tier2").stats().requests).toBe(0);
  });

  test.skipIf(!limitable)("lives on while it cannot accept, and accepts again", patient, async () => {
    await using cluster = await startSensitive();
    await using kept = await RawClient.connect(cluster.url);
    expect((await kept.request(request())).status).toBe(200);
    exhaust(cluster.router.pid);
    const adminPort = Number(new URL(String(cluster.router.ready["adminUrl"])).port);
    const clients = await Promise.all(
      [cluster.router.port, adminPort].flatMap((port) =>
        Array.from({ length: 20 }, () => RawClient.connect(port)),
      ),
    );
    expect((await kept.request(request())).status, "what it has still works").toBe(200);
    for (const client of clients) await client.close();
    limitDescriptors(cluster.router.pid, 4096);
    await eventually(() => cluster.expectServedBy("acme", "tier1"), { what: "a new connection", deadlineMs });
    const health = await fetch(`${cluster.router.ready["adminUrl"]}/healthz`, {
      headers: { connection: "close" },
    });
    expect(health.status).toBe(200);
  });
});

describe("a setting", () => {
  test.each(["ten", "-1", "1.5", "10s", "1e3", "9999999999"])(
    "HEAD_TIMEOUT_MS=%s is refused in words",
    async (ms) => {
      await using router = await spawnRouter({ stage, env: { HEAD_TIMEOUT_MS: ms } });
      expect((await router.exited()).code).toBe(1);
      expect(router.stderr().trim()).toBe(
        `Cannot start: HEAD_TIMEOUT_MS="${ms}": expected milliseconds, 0 to turn the limit off`,
      );
    },
  );

  test("HEAD_TIMEOUT_MS is a cell's time to begin its response", async () => {
    await using cluster = await startCluster({ stage, env: { HEAD_TIMEOUT_MS: "300" } });
    cluster.fault("tier1", { fault: "slow", delayMs: 8_000 });
    const response = await cluster.expectStatus("acme", 504);
    expect(response.json()["code"]).toBe("head-timeout");
  });

  test("BODY_IDLE_TIMEOUT_MS is how long a response may be silent in its middle", async () => {
    await using cluster = await startCluster({ stage, env: { BODY_IDLE_TIMEOUT_MS: "300" } });
    await using client = await RawClient.connect(cluster.url);
    const response = await client.request(request("/drip?chunks=3&intervalMs=8000"));
    expect([response.status, response.ending]).toEqual([200, "truncated"]);
  });

  test("KEEP_ALIVE_TIMEOUT_MS is how long a client's connection may be idle", async () => {
    await using cluster = await startCluster({ stage, env: { KEEP_ALIVE_TIMEOUT_MS: "300" } });
    await using client = await RawClient.connect(cluster.url);
    expect((await client.request(request())).status).toBe(200);
    expect(await client.untilClosed()).toBe("closed");
  });

  test("0 turns all three off", async () => {
    const env = { HEAD_TIMEOUT_MS: "0", BODY_IDLE_TIMEOUT_MS: "0", KEEP_ALIVE_TIMEOUT_MS: "0" };
    await using cluster = await startCluster({ stage, env });
    await using client = await RawClient.connect(cluster.url);
    cluster.fault("tier1", { fault: "slow", delayMs: 1_500 });
    for (let n = 0; n < 2; n++)
      expect((await client.request(request("/drip?chunks=2&intervalMs=500"))).ending).toBe("complete");
  });
});
