// Active health checks: how many results it takes either way, that requests neither wait for them nor cause them, and
// that each placement has its own.

import { describe, expect, test } from "vitest";
import { startCell } from "../../cells/cell.ts";
import { expectRefused, path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabCell, LabRequest } from "./lab-cell.ts";

/** Probes as fast as a case can follow, each with time enough to be held. */
const held = { intervalMs: 10, timeoutMs: 60_000 };
const fallback = {
  status: 200,
  to: "two",
  cell: "two",
  from: "one",
  reason: "unhealthy",
  retries: undefined,
};

export function describeHealth(contract: ResilienceContract): void {
  /** Answers the next probe with `status`, and waits until the one after it comes: then the result has been counted. */
  const probeWith = async (cell: LabCell, ...statuses: number[]) => {
    for (const status of statuses) {
      const at = cell.probes.findIndex(({ res }) => !res.headersSent);
      const probe = at >= 0 ? (cell.probes[at] as LabRequest) : await cell.isProbed(cell.probes.length + 1);
      const count = cell.probes.indexOf(probe) + 1;
      probe.respond(status);
      await cell.isProbed(count + 1);
    }
  };
  const heldCell = async () => {
    const cell = await contract.cell("one");
    cell.onProbe = () => {};
    return cell;
  };

  describe("health checks", () => {
    test("`fall` failures in a row make a cell unhealthy, `rise` successes in a row healthy again", async () => {
      await using one = await heldCell();
      await using two = await contract.cell("two");
      const health = { ...held, rise: 2, fall: 3 };
      await contract.apply({ one: { cell: one, fallback: ["two"], health }, two: { cell: two } });
      const served = async () => path(await contract.ask("one"));
      await probeWith(one, 200, 500, 500);
      expect(await served(), "after two failures").toEqual(plainly("one"));
      await probeWith(one, 200, 500, 503);
      expect(await served(), "a success begins the count again").toEqual(plainly("one"));
      await probeWith(one, 404);
      expect(await served(), "after three failures").toEqual(fallback);
      await probeWith(one, 204);
      expect(await served(), "after one success").toEqual(fallback);
      await probeWith(one, 500, 200);
      expect(await served(), "a failure begins the count again").toEqual(fallback);
      await probeWith(one, 200);
      expect(await served(), "after two successes").toEqual(plainly("one"));
    });

    test("a new cell counts as healthy before its first probe is answered", async () => {
      await using one = await heldCell();
      await contract.apply({ one: { cell: one, health: { ...held, fall: 1 } } });
      expect(path(await contract.ask("one"))).toEqual(plainly("one"));
      await one.isProbed(1);
      expect(path(await contract.ask("one")), "while the probe waits").toEqual(plainly("one"));
    });

    test("a placement that gets another cell starts as healthy", async () => {
      await using sick = await contract.cell("one");
      await using next = await contract.cell("one");
      sick.onProbe = (probe) => probe.respond(500);
      const health = { intervalMs: 10, timeoutMs: 1000, fall: 1 };
      await contract.apply({ one: { cell: sick, health } });
      await contract.askUntil("one", "is refused", ({ status }) => status === 503);
      next.onProbe = () => {};
      await contract.apply({ one: { cell: next, health: { ...held, fall: 1 } } });
      expect(path(await contract.ask("one"))).toEqual(plainly("one"));
    });

    test("a push that leaves the cell alone leaves its health alone", async () => {
      await using one = await contract.cell("one");
      one.onProbe = (probe) => probe.respond(500);
      await contract.apply({ one: { cell: one, health: { intervalMs: 10, fall: 1 } } });
      await contract.askUntil("one", "is refused", ({ status }) => status === 503);
      await contract.apply({ one: { cell: one, health: { intervalMs: 3_600_000, fall: 7 } } });
      expectRefused(await contract.ask("one"), 503, "unhealthy");
    });

    test("requests neither wait for probes nor cause them", async () => {
      await using one = await heldCell();
      await contract.apply({ one: { cell: one, health: { intervalMs: 3_600_000, timeoutMs: 60_000 } } });
      for (let n = 0; n < 50; n++) expect((await contract.ask("one")).status).toBe(200);
      expect(one.probes.length).toBeLessThanOrEqual(1);
    });

    test.each([
      ["hangs", "hang"],
      ["is reset", "reset"],
      ["is an error", "error"],
    ] as const)("a probe that %s has failed, and requests to others go on", async (_, fault) => {
      await using one = await startCell({ name: "one" });
      await using two = await contract.cell("two");
      const health = { intervalMs: 20, timeoutMs: 50, rise: 1, fall: 2 };
      await contract.apply({ one: { cell: one, fallback: ["two"], health }, two: { cell: two, health } });
      // Only probes meet it: a ratio of 0 spares every other request.
      one.setFault({ fault, healthToo: true, ratio: 0 });
      expect(path(await contract.servedBy("one", "two"))).toEqual(fallback);
      expect(path(await contract.ask("two"))).toEqual(plainly("two"));
      one.setFault({ fault: "none" });
      expect(path(await contract.servedBy("one", "one"))).toEqual(plainly("one"));
    });

    test("a cell that is gone is unhealthy, and comes back by itself", async () => {
      await using one = await startCell({ name: "one" });
      await using two = await contract.cell("two");
      const health = { intervalMs: 20, timeoutMs: 500, rise: 2, fall: 2 };
      await contract.apply({ one: { cell: one, fallback: ["two"], health }, two: { cell: two } });
      await one.close();
      await contract.askUntil(
        "one",
        "fails over for its health",
        (response) => path(response)["reason"] === "unhealthy",
      );
      await using _ = await startCell({ name: "one", port: one.port });
      expect(path(await contract.servedBy("one", "one"))).toEqual(plainly("one"));
    });

    test("a cell that flaps faster than `fall` is never unhealthy, one that stays down is", async () => {
      await using one = await startCell({ name: "one" });
      await using events = await contract.eventsFromNow();
      await contract.apply({
        one: { cell: one, health: { intervalMs: 20, timeoutMs: 1000, rise: 2, fall: 1000 } },
      });
      one.setFault({ fault: "flap", upMs: 60, downMs: 60, ratio: 0 });
      const until = one.stats().healthChecks + 20;
      for (let checks = 0; checks < until; checks = one.stats().healthChecks) await contract.ask("one");
      expect(events.changes("health", "one")).toEqual([]);
      await contract.apply({
        one: { cell: one, health: { intervalMs: 20, timeoutMs: 1000, rise: 1, fall: 1 } },
      });
      await events.first("down", ({ data }) => data["placement"] === "one" && data["to"] === "unhealthy");
      await events.first("up again", ({ data }) => data["placement"] === "one" && data["to"] === "healthy");
      const changes = events.changes("health", "one");
      expect(changes.slice(0, 2)).toEqual(["healthy → unhealthy", "unhealthy → healthy"]);
    });

    test("each placement is checked by its own settings, at one endpoint too", async () => {
      await using cell = await contract.cell("one");
      cell.onProbe = (probe) => probe.respond(probe.path === "/health/b" ? 500 : 200);
      const health = (name: string) => ({
        path: `/health/${name}`,
        intervalMs: 20,
        timeoutMs: 1000,
        fall: 2,
      });
      await contract.apply({
        a: { cell, health: health("a") },
        b: { cell, health: health("b") },
        c: { cell },
      });
      await contract.askUntil("b", "is refused", ({ status }) => status === 503);
      for (const key of ["a", "c"]) expect((await contract.ask(key)).headers.one("x-routed-to")).toBe(key);
      expect(new Set(cell.probes.map((probe) => probe.path))).toEqual(new Set(["/health/a", "/health/b"]));
    });

    test("probes keep their interval, ten per cent up or down, and not in step", async () => {
      await using one = await contract.cell("one");
      await contract.apply({ one: { cell: one, health: { intervalMs: 100, timeoutMs: 1000 } } });
      await one.isProbed(12);
      const gaps = one.probes.slice(1).map(({ atMs }, at) => atMs - (one.probes[at]?.atMs ?? 0));
      // What the machine adds is not the router's; a shorter gap would be. A few ms for the clocks of two processes.
      expect(Math.min(...gaps)).toBeGreaterThan(80);
      expect([...gaps].sort((a, b) => a - b)[2], `gaps: ${gaps.map(Math.round)}`).toBeLessThan(170);
      expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(3);
    });

    test("probes stop where a table checks no more", async () => {
      await using one = await contract.cell("one");
      await contract.apply({ one: { cell: one, health: { intervalMs: 10 } } });
      await one.isProbed(3);
      await contract.apply({ one: { cell: one } });
      const count = one.probes.length;
      for (let n = 0; n < 30; n++) await contract.ask("one");
      expect(one.probes.length).toBeLessThanOrEqual(count + 1);
    });

    test("without a fallback the response is 503: nobody else's cell, whatever is idle", async () => {
      await using one = await contract.cell("one");
      await using other = await contract.cell("other");
      one.onProbe = (probe) => probe.respond(500);
      const health = { intervalMs: 10, timeoutMs: 1000, fall: 1 };
      const placements = {
        one: { cell: one, kind: "dedicated", health },
        other: { cell: other, kind: "dedicated" },
      } as const;
      await contract.apply(placements);
      await contract.askUntil("one", "is refused", ({ status }) => status === 503);
      const [before, shared] = [one.requests.length, contract.shared.requests.length];
      const response = await contract.ask("one", { method: "POST", body: "pay" });
      expectRefused(response, 503, "unhealthy");
      expect(path(response)).toMatchObject({ to: "one", from: undefined });
      expect([one.requests.length, other.requests.length]).toEqual([before, 0]);
      expect(contract.shared.requests).toHaveLength(shared);
    });
  });
}
