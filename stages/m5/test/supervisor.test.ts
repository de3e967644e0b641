// Several workers are one router: whatever dies or is replaced, clients notice nothing that had to be noticed, and
// nothing is left behind. Real processes, because what can go wrong here goes wrong between them.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startCell } from "../../../shared/cells/cell.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { withDescendants } from "../../../shared/testkit/process-by-port.ts";
import { RawClient, sendRaw } from "../../../shared/testkit/raw-client.ts";
import { type RouterProcess, spawnRouter } from "../../../shared/testkit/router-process.ts";
import {
  countedBy,
  deadlineMs,
  gone,
  isAlive,
  Load,
  patient,
  request,
  roll,
  startWorkers,
  untilGone,
  workersOf,
} from "./workers.ts";

failOnLeaks();

describe("SIGHUP", () => {
  test("replaces every worker and loses no request, on kept and on new connections", patient, async () => {
    await using cluster = await startWorkers();
    const before = workersOf(cluster);
    const load = new Load(cluster.url);
    await eventually(() => load.responses > 100, { what: "the load is on", deadlineMs });
    await roll(cluster);
    await roll(cluster);
    await load.stop();
    expect(load.failures).toEqual([]);
    const after = workersOf(cluster);
    expect(after).toHaveLength(2);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    // Nothing that a replaced worker had counted is lost, and nothing is counted twice.
    expect(await countedBy(cluster)).toBe(load.responses);
  });

  test("that comes many times at once loses no request either", patient, async () => {
    await using cluster = await startWorkers();
    const load = new Load(cluster.url);
    await eventually(() => load.responses > 100, { what: "the load is on", deadlineMs });
    const replaced = () => cluster.router.logs().filter(({ event }) => event === "workers-replaced").length;
    for (let n = 1; n <= 40; n++) {
      cluster.router.signal("SIGHUP");
      const responses = load.responses;
      await eventually(() => load.responses > responses, { what: "a response in between", deadlineMs });
    }
    await eventually(() => replaced() > 0, { what: "the workers are replaced", deadlineMs });
    await roll(cluster);
    await load.stop();
    expect(load.failures).toEqual([]);
    await eventually(() => workersOf(cluster).length === 2, { what: "two workers are left", deadlineMs });
    expect(await countedBy(cluster)).toBe(load.responses);
  });

  test("tells an idle client on its next response that the connection ends", patient, async () => {
    await using cluster = await startWorkers();
    await using client = await RawClient.connect(cluster.url);
    await client.request(request());
    cluster.router.signal("SIGHUP");
    await eventually(
      async () => {
        const { status, headers } = await client.request(request());
        expect(status).toBe(200);
        return headers.one("connection")?.toLowerCase() === "close";
      },
      { what: "a response that says Connection: close", deadlineMs },
    );
    expect(await client.untilClosed()).toBe("closed");
  });

  test("counters never go down meanwhile", patient, async () => {
    await using cluster = await startWorkers();
    for (let n = 0; n < 20; n++) await cluster.request("acme");
    // Holds the first worker to be replaced in its grace, where it serves no more and still counts.
    await using idle = await RawClient.connect(cluster.url);
    await idle.request(request());
    const seen: number[] = [];
    let rolled = false;
    const rolling = roll(cluster).finally(() => {
      rolled = true;
    });
    while (!rolled) seen.push(await countedBy(cluster));
    await rolling;
    expect(new Set([...seen, await countedBy(cluster)])).toEqual(new Set([21]));
  });
});

describe("a start", () => {
  /** Resolves once the process has a handler for the signal: before, it would end by it. */
  async function catches(pid: number, signal: number): Promise<void> {
    await eventually(
      async () => {
        const [, caught = "0"] =
          /^SigCgt:\s+(\w+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
        return (BigInt(`0x${caught}`) >> BigInt(signal - 1)) & 1n;
      },
      { what: `${pid} handles signal ${signal}`, deadlineMs, everyMs: 1 },
    );
  }

  const ready = ({ ready }: RouterProcess) => ready["url"] !== undefined;

  test.skipIf(process.platform !== "linux")(
    "is not disturbed by a reload that comes too early: it leaves two workers, and both follow the table",
    patient,
    async () => {
      await using cell = await startCell({ name: "cell" });
      const routing = (version: string, keys: object) => ({
        version,
        defaultPlacement: "tier3",
        routingTable: keys,
        placements: {
          tier1: { kind: "tier", url: cell.url },
          tier3: { kind: "tier", url: "http://127.0.0.1:1" },
        },
      });
      await using router = await spawnRouter({
        stage: "m5",
        routing: routing("1", {}),
        env: { WORKERS: "2" },
      });
      await catches(router.pid, 1);
      await eventually(
        () => {
          router.signal("SIGHUP");
          return ready(router);
        },
        { what: "the router is ready", deadlineMs, everyMs: 10 },
      );
      const serving = () => withDescendants(router.pid).filter((pid) => pid !== router.pid);
      await eventually(() => serving().length === 2, { what: "there are two workers", deadlineMs });
      await writeFile(
        join(router.directory, "routing.json"),
        JSON.stringify(routing("2", { acme: "tier1" })),
      );
      await router.waitForLog(({ version }) => version === "2", deadlineMs);
      for (let n = 0; n < 20; n++) {
        await eventually(async () => (await sendRaw(router.url, request())).status === 200, {
          what: "every worker has the table",
          deadlineMs,
        });
      }
    },
  );

  test("goes on when a worker is killed while it comes up", patient, async () => {
    await using router = await spawnRouter({ stage: "m5", env: { WORKERS: "2" } });
    const children = () => withDescendants(router.pid).filter((pid) => pid !== router.pid);
    for (let n = 0; n < 3; n++) {
      const killed = await eventually(() => children()[0], {
        what: "a worker comes up",
        deadlineMs,
        everyMs: 1,
      });
      process.kill(killed, "SIGKILL");
      await untilGone([killed]);
    }
    await eventually(() => ready(router), { what: "the router is ready", deadlineMs });
    expect(children()).toHaveLength(2);
  });
});

describe("a stop", () => {
  test("SIGTERM lets every worker finish, exits with 0 and leaves no process", patient, async () => {
    await using cluster = await startWorkers();
    const workers = workersOf(cluster);
    const fields = "Host: a\r\nX-Routing-Key: acme\r\nContent-Length: 10\r\n";
    const clients = await Promise.all([1, 2, 3, 4].map(() => RawClient.connect(cluster.url)));
    for (const client of clients) await client.write(`POST /x HTTP/1.1\r\n${fields}\r\nfirst`);
    await eventually(() => cluster.cell("tier1").stats().inFlight === 4, {
      what: "all are under way",
      deadlineMs,
    });
    cluster.router.signal("SIGTERM");
    await cluster.router.waitForLog(({ event }) => event === "stopping", deadlineMs);
    for (const client of clients) {
      await client.write("later");
      expect((await client.readResponse({ method: "POST" })).status).toBe(200);
      await client.close();
    }
    expect(await cluster.router.exited(deadlineMs)).toEqual(gone);
    expect(workers.filter(isAlive)).toEqual([]);
  });

  // A client sends before it can know that its connection is being closed: without a grace that request is lost.
  test.each(["1", "2"])(
    "SIGTERM lets an idle connection bring one more request, %s worker(s)",
    patient,
    async (WORKERS) => {
      await using cluster = await startWorkers({ env: { WORKERS } });
      await using client = await RawClient.connect(cluster.url);
      await client.request(request());
      cluster.router.signal("SIGTERM");
      await cluster.router.waitForLog(({ event }) => event === "stopping", deadlineMs);
      expect((await client.request(request())).status).toBe(200);
      await client.close();
      expect(await cluster.router.exited(deadlineMs)).toEqual(gone);
    },
  );

  test("a killed supervisor takes its workers along, after their requests", patient, async () => {
    await using cluster = await startWorkers();
    const workers = workersOf(cluster);
    expect(workers).toHaveLength(2);
    cluster.fault("tier1", { fault: "slow", delayMs: 2_000 });
    await using client = await RawClient.connect(cluster.url);
    await client.write(request());
    await eventually(() => cluster.cell("tier1").stats().inFlight === 1, {
      what: "it is under way",
      deadlineMs,
    });
    cluster.router.signal("SIGKILL");
    expect((await client.readResponse()).status).toBe(200);
    await untilGone(workers);
  });
});

describe("what workers are told", () => {
  test("a new table", patient, async () => {
    await using cluster = await startWorkers();
    await cluster.expectServedBy("acme", "tier1");
    const file = join(cluster.router.directory, "routing.json");
    const document = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...document, version: "2", routingTable: { acme: "tier2" } }));
    await cluster.router.waitForLog((line) => line["version"] === "2", deadlineMs);
    for (let n = 0; n < 20; n++) {
      await eventually(async () => (await cluster.request("acme")).headers.one("x-routed-to") === "tier2", {
        what: "every worker has the table",
        deadlineMs,
      });
    }
  });

  test("who is not healthy", patient, async () => {
    const health = { path: "/healthz", intervalMs: 50, timeoutMs: 500, rise: 1, fall: 1 };
    await using cluster = await startWorkers({
      routingFrom: (urls) => ({
        version: "1",
        defaultPlacement: "tier3",
        routingTable: { acme: "tier1" },
        placements: {
          tier1: { kind: "tier", url: urls["tier1"], fallback: ["tier2"], health },
          tier2: { kind: "tier", url: urls["tier2"] },
          tier3: { kind: "tier", url: urls["tier3"] },
        },
      }),
    });
    await cluster.expectServedBy("acme", "tier1");
    cluster.fault("tier1", { fault: "error", status: 500 });
    for (let n = 0; n < 10; n++) {
      await eventually(
        async () => (await cluster.request("acme")).headers.one("x-failover-reason") === "unhealthy",
        { what: "every worker stays away", deadlineMs },
      );
    }
  });

  test(
    "their share of a concurrency limit: together they let through what the table says",
    patient,
    async () => {
      await using cluster = await startWorkers({
        routingFrom: (urls) => ({
          version: "1",
          defaultPlacement: "tier1",
          routingTable: {},
          placements: { tier1: { kind: "tier", url: urls["tier1"], concurrencyLimit: 4 } },
        }),
        // Nothing gives its place back.
        env: { HEAD_TIMEOUT_MS: "0" },
      });
      cluster.fault("tier1", { fault: "hang" });
      const cell = cluster.cell("tier1");
      const clients: RawClient[] = [];
      // Which worker takes a connection is the system's choice: enough of them find both.
      await eventually(
        async () => {
          const client = await RawClient.connect(cluster.url);
          clients.push(client);
          await client.write(request());
          return cell.stats().inFlight >= 4;
        },
        { what: "all places are taken", deadlineMs },
      );
      for (let n = 0; n < 20; n++) {
        const { status } = await cluster.request("acme");
        expect(status).toBe(503);
      }
      expect(cell.stats().inFlight).toBe(4);
      for (const client of clients) await client.close();
    },
  );
});

describe("REUSE_PORT", () => {
  test("gives each worker a socket of its own", patient, async () => {
    await using cluster = await startWorkers({ env: { REUSE_PORT: "true" } });
    expect(workersOf(cluster)).toHaveLength(2);
    for (let n = 0; n < 20; n++) await cluster.expectServedBy("acme", "tier1");
    expect(await countedBy(cluster)).toBe(20);
  });

  test("falls back to one shared socket where the system has none", patient, async () => {
    const without = `
      import { Server } from "node:net";
      const { listen } = Server.prototype;
      Server.prototype.listen = function (...args) {
        if (!args[0]?.reusePort) return listen.apply(this, args);
        const error = Object.assign(new Error("bind ENOTSUP"), { code: "ENOTSUP" });
        process.nextTick(() => this.emit("error", error));
        return this;
      };`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(without)}`;
    await using cluster = await startWorkers({ env: { REUSE_PORT: "true", NODE_OPTIONS } });
    for (let n = 0; n < 20; n++) await cluster.expectServedBy("acme", "tier1");
    expect(workersOf(cluster)).toHaveLength(2);
  });
});
