// Workers that die, hang, or take their time: whatever becomes of one, clients notice nothing that had to be noticed.

import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { deadlineMs, gone, patient, request, roll, startWorkers, untilGone, workersOf } from "./workers.ts";

failOnLeaks();

describe("a worker that hangs", () => {
  test("is noticed and replaced, and the other one goes on", patient, async () => {
    await using cluster = await startWorkers();
    const [hung = 0, other = 0] = workersOf(cluster);
    process.kill(hung, "SIGSTOP");
    await cluster.router.waitForLog(({ event }) => event === "worker-hung", deadlineMs);
    await cluster.router.waitForLog(({ event }) => event === "worker-started", deadlineMs);
    await untilGone([hung]);
    const now = workersOf(cluster);
    expect([now.length, now.includes(other)]).toEqual([2, true]);
    for (let n = 0; n < 10; n++) await cluster.expectServedBy("acme", "tier1");
  });

  test("is no reason for a stop to take longer than it may", patient, async () => {
    await using cluster = await startWorkers();
    const workers = workersOf(cluster);
    for (const pid of workers) process.kill(pid, "SIGSTOP");
    const startedAt = performance.now();
    cluster.router.signal("SIGTERM");
    expect(await cluster.router.exited(deadlineMs)).toEqual(gone);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    await untilGone(workers);
  });
});

describe("a worker that is replaced", () => {
  // A reload is no reason to cut a download, however long it takes; a stop waits for 10 s at most.
  test("finishes what takes longer than a stop would wait", patient, async () => {
    await using cluster = await startWorkers();
    await using client = await RawClient.connect(cluster.url);
    await client.write(request("/drip?chunks=36&intervalMs=500"));
    const head = await client.readHead();
    await roll(cluster);
    const response = await client.readBody(head);
    expect(response.ending).toBe("complete");
    expect(response.text()).toContain("chunk 36");
  });
});

describe("a worker that dies", () => {
  test("is replaced, and the other one goes on", patient, async () => {
    await using cluster = await startWorkers();
    const [first = 0] = workersOf(cluster);
    process.kill(first, "SIGKILL");
    await cluster.router.waitForLog(({ event }) => event === "worker-died", deadlineMs);
    for (let n = 0; n < 10; n++) await cluster.expectServedBy("acme", "tier1");
    await cluster.router.waitForLog(({ event }) => event === "worker-started", deadlineMs);
    expect(workersOf(cluster)).toHaveLength(2);
    for (let n = 0; n < 10; n++) await cluster.expectServedBy("acme", "tier1");
  });

  test("takes the port of none: when all have died, all come back to it", patient, async () => {
    await using cluster = await startWorkers();
    for (const pid of workersOf(cluster)) process.kill(pid, "SIGKILL");
    const started = () => cluster.router.logs().filter(({ event }) => event === "worker-started").length;
    await eventually(() => started() === 2, { what: "both workers are back", deadlineMs });
    await cluster.expectServedBy("acme", "tier1");
  });
});
