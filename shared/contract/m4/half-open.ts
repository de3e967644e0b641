// What happens after an open circuit's wait: how many requests get through, and what their results do.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import { expectRefused, path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabCell } from "./lab-cell.ts";

const breaker = (settings: object) => ({
  consecutiveFailures: 1,
  minimumRequests: 1_000_000,
  waitMs: 100,
  maxWaitMs: 100,
  halfOpenProbes: 1,
  ...settings,
});

export function describeHalfOpen(contract: ResilienceContract): void {
  /** A cell whose circuit has just opened; from now on it holds every request. */
  const openCircuit = async (settings: object): Promise<LabCell> => {
    const cell = await contract.cell("one", (request) => request.respond(503));
    await contract.apply({ one: { cell, circuitBreaker: breaker(settings) } });
    await contract.ask("one");
    cell.handler = () => {};
    cell.requests.length = 0;
    return cell;
  };

  describe("half-open", () => {
    test.each([1, 3, 7])("lets exactly %i of 100 concurrent requests through", async (halfOpenProbes) => {
      await using events = await contract.eventsFromNow();
      await using cell = await openCircuit({ halfOpenProbes });
      // Refusals end at once, and only then is there a place in this row: so the 100 begin after the wait.
      const probing = async () => {
        const response = await contract.ask("one");
        return response.status === 503 ? expectRefused(response, 503, "circuit-open") && undefined : response;
      };
      const asked = Array.from({ length: 100 }, async () => {
        for (;;) {
          const response = await probing();
          if (response !== undefined || cell.requests.length >= halfOpenProbes) return response;
        }
      });
      await cell.sees(halfOpenProbes);
      const others = await Promise.all(Array.from({ length: 100 }, () => contract.ask("one")));
      for (const response of others) expectRefused(response, 503, "circuit-open");
      expect(cell.requests).toHaveLength(halfOpenProbes);
      for (const request of cell.requests.slice(0, halfOpenProbes - 1)) request.respond();
      expectRefused(await contract.ask("one"), 503, "circuit-open");
      expect(cell.requests, "no more probes than that, however many have ended").toHaveLength(halfOpenProbes);
      cell.handler = (request) => request.respond();
      cell.requests.at(-1)?.respond();
      await Promise.all(asked);
      const all = await Promise.all(Array.from({ length: 20 }, () => contract.ask("one")));
      expect(all.map(path), "closed again").toEqual(Array.from({ length: 20 }, () => plainly("one")));
      await events.first("closed", ({ data }) => data["placement"] === "one" && data["to"] === "closed");
      expect(events.changes("breaker", "one")).toEqual([
        "closed → open",
        "open → half-open",
        "half-open → closed",
      ]);
    });

    test("a probe that fails opens the circuit again, for twice as long, up to the longest wait", async () => {
      await using cell = await contract.cell("one", (request) => request.respond(503));
      await contract.apply({ one: { cell, circuitBreaker: breaker({ maxWaitMs: 300 }) } });
      const asks = { done: false };
      const asking = (async () => {
        while (!asks.done) await contract.ask("one");
      })();
      // Told below: nobody may be waiting for it when the router goes.
      asking.catch(() => {});
      // The first request opens the circuit; each later one is a probe. A wait begins after its request has arrived here.
      await cell.sees(6);
      asks.done = true;
      await asking;
      const times = cell.requests.map(({ atMs }) => atMs);
      const waits = times.slice(1).map((atMs, at) => Math.round(atMs - (times[at] ?? 0)));
      const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = waits;
      const said = `waits: ${waits.join(", ")} ms`;
      expect(first, said).toBeGreaterThanOrEqual(90);
      expect(second, said).toBeGreaterThanOrEqual(190);
      expect(Math.min(third, fourth, fifth), said).toBeGreaterThanOrEqual(290);
      // Without a longest wait these would be 800 and 1600.
      expect(Math.min(fourth, fifth), said).toBeLessThan(790);
    });

    test("a client that leaves gives its probe's slot back", async () => {
      await using cell = await openCircuit({});
      for (let n = 1; n <= 3; n++) {
        await using client = await RawClient.connect(contract.router.url);
        const isIn = async () => {
          if (cell.requests.length >= n) return true;
          await client.write(requestBytes({ key: "one" }));
          const [answered] = await Promise.race([
            client.readResponse().then((response) => [response]),
            cell.sees(n).then(() => []),
          ]);
          if (answered !== undefined) expectRefused(answered, 503, "circuit-open");
          return cell.requests.length >= n;
        };
        await eventually(isIn, { what: "a probe gets through", deadlineMs: 10_000 });
        client.reset();
      }
      cell.handler = (request) => request.respond();
      expect(path(await contract.servedBy("one", "one"))).toEqual(plainly("one"));
    });

    test("a long response does not keep the circuit half-open: its head proves the cell", async () => {
      await using cell = await openCircuit({});
      const asking = contract.askUntil("one", "gets through", ({ status }) => status === 200);
      const probe = await cell.sees(1);
      probe.res.writeHead(200, { "Content-Length": 4, "X-Cell": "one" });
      probe.res.flushHeaders();
      cell.handler = (request) => request.respond();
      expect(path(await contract.servedBy("one", "one")), "while the body is yet to come").toEqual(
        plainly("one"),
      );
      probe.res.end("done");
      expect((await asking).text()).toBe("done");
    });
  });
}
