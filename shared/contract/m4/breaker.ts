// Circuit breakers: what opens one, what half-open lets through, when it closes, and that a client cannot open it.

import { describe, expect, test } from "vitest";
import { startCell } from "../../cells/cell.ts";
import { startHostileUpstream } from "../../testkit/hostile-upstream.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes, responseBytes } from "../messages.ts";
import { expectRefused, path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabHandler } from "./lab-cell.ts";

/** Opens by failures in a row only, and for longer than a case takes. */
const inARow = (consecutiveFailures: number) => ({
  consecutiveFailures,
  minimumRequests: 1_000_000,
  waitMs: 60_000,
  halfOpenProbes: 1,
});
const fail: LabHandler = (request) => request.respond(503);

export function describeBreaker(contract: ResilienceContract): void {
  const statuses = async (key: string, count: number): Promise<number[]> => {
    const got: number[] = [];
    for (let n = 0; n < count; n++) got.push((await contract.ask(key, { method: "POST", body: "x" })).status);
    return got;
  };

  describe("the circuit breaker", () => {
    test("opens at N failures in a row; then the cell is left alone", async () => {
      await using one = await contract.cell("one", fail);
      await using two = await contract.cell("two", fail);
      await contract.apply({ one: { cell: one, circuitBreaker: inARow(3) }, two: { cell: two } });
      const first = await contract.ask("one");
      expect([path(first), first.text()], "the cell's own words").toEqual([plainly("one", 503), "ok"]);
      expect(await statuses("one", 2)).toEqual([503, 503]);
      const response = await contract.ask("one");
      expect(expectRefused(response, 503, "circuit-open")).toBeGreaterThan(50);
      await statuses("one", 10);
      expect(one.requests).toHaveLength(3);
      await statuses("two", 5);
      expect(two.requests, "a placement without a breaker").toHaveLength(5);
    });

    test("a success begins the count again", async () => {
      await using one = await contract.cell("one", (request) =>
        request.respond(one.requests.length % 3 === 0 ? 200 : 503),
      );
      await contract.apply({ one: { cell: one, circuitBreaker: inARow(3) } });
      await statuses("one", 12);
      expect(one.requests).toHaveLength(12);
    });

    test.each([200, 204, 301, 400, 404, 429, 500, 501])(
      "%i is no failure: the cell did answer",
      async (status) => {
        await using one = await contract.cell("one", (request) =>
          request.respond(status, status === 204 ? "" : "ok"),
        );
        await contract.apply({ one: { cell: one, circuitBreaker: inARow(1) } });
        await contract.ask("one");
        await contract.ask("one");
        expect(one.requests).toHaveLength(2);
      },
    );

    test.each<[string, LabHandler]>([
      ["502", (request) => request.respond(502)],
      ["503", (request) => request.respond(503)],
      ["504", (request) => request.respond(504)],
      ["a reset", (request) => request.reset()],
      ["a response that is not HTTP", (request) => request.req.socket.end("nonsense\r\n\r\n")],
    ])("%s is a failure", async (_, handler) => {
      await using one = await contract.cell("one", handler);
      await contract.apply({ one: { cell: one, circuitBreaker: inARow(2) } });
      for (let n = 0; n < 2; n++)
        expect((await contract.ask("one", { method: "POST", body: "x" })).status).toBeGreaterThan(501);
      expectRefused(await contract.ask("one"), 503, "circuit-open");
    });

    test("a connection that cannot be made is a failure", async () => {
      await using one = await contract.cell("one");
      await contract.apply({ one: { cell: one, circuitBreaker: inARow(2) } });
      await one.down();
      expect(await statuses("one", 2)).toEqual([502, 502]);
      expectRefused(await contract.ask("one"), 503, "circuit-open");
    });

    test("opens at a share of failures, but not before there are enough results to judge by", async () => {
      await using one = await startCell({ name: "one" });
      const circuitBreaker = {
        consecutiveFailures: 1_000_000,
        failureRatio: 0.5,
        minimumRequests: 10,
        windowMs: 60_000,
        waitMs: 60_000,
      };
      await contract.apply({ one: { cell: one, circuitBreaker } });
      one.setFault({ fault: "error", ratio: 0.5 });
      await statuses("one", 9);
      expect(one.stats().requests, "nine results say nothing").toBe(9);
      await statuses("one", 10);
      expect(one.stats().requests, "half of ten").toBe(10);
    });

    test("stays closed below the share", async () => {
      await using one = await startCell({ name: "one" });
      const circuitBreaker = {
        consecutiveFailures: 1_000_000,
        failureRatio: 0.5,
        minimumRequests: 10,
        windowMs: 60_000,
      };
      await contract.apply({ one: { cell: one, circuitBreaker } });
      one.setFault({ fault: "error", ratio: 0.4 });
      await statuses("one", 50);
      expect(one.stats().requests).toBe(50);
    });

    test("keeps its state over a push, and starts closed for another cell", async () => {
      await using one = await contract.cell("one", fail);
      await using next = await contract.cell("one");
      await contract.apply({ one: { cell: one, circuitBreaker: inARow(1) } });
      await statuses("one", 1);
      await contract.apply({ one: { cell: one, circuitBreaker: inARow(9) } });
      expectRefused(await contract.ask("one"), 503, "circuit-open");
      await contract.apply({ one: { cell: next, circuitBreaker: inARow(1) } });
      expect(path(await contract.ask("one"))).toEqual(plainly("one"));
    });

    test("a connection that the cell had closed while it was idle is no failure", async () => {
      // Each connection carries one response; at the next request on it the cell is found to have left.
      await using upstream = await startHostileUpstream(async (connection) => {
        await connection.readRequest();
        await connection.write(responseBytes("200 OK", ["X-Cell: one"], "ok"));
        await connection.readHead();
        connection.reset();
      });
      await contract.apply({ one: { url: upstream.url, circuitBreaker: inARow(1) } });
      for (let n = 0; n < 10; n++) expect(path(await contract.ask("one"))).toEqual(plainly("one"));
    });
  });

  describe("a client cannot open the circuit", () => {
    const uploadHead = requestBytes({ method: "POST", key: "one", fields: ["Content-Length: 1000000"] });
    const chunkedHead = requestBytes({ method: "POST", key: "one", fields: ["Transfer-Encoding: chunked"] });

    test.each<[string, (client: RawClient, seen: () => Promise<unknown>) => Promise<unknown>]>([
      [
        "by leaving before the response",
        async (client, seen) => {
          await client.write(requestBytes({ key: "one" }));
          await seen();
          client.reset();
        },
      ],
      [
        "by a reset in the middle of its upload",
        async (client, seen) => {
          await client.write(`${uploadHead}some of it`);
          await seen();
          client.reset();
        },
      ],
      [
        "by closing its side in the middle of its upload",
        async (client, seen) => {
          await client.write(`${uploadHead}some of it`);
          await seen();
          client.halfClose();
          await client.untilClosed();
        },
      ],
      [
        "by breaking its upload's framing",
        async (client, seen) => {
          await client.write(`${chunkedHead}5\r\nhello\r\n`);
          await seen();
          await client.write("zzz\r\n");
          await client.untilClosed();
        },
      ],
      [
        "by a request that is refused",
        (client) => client.request("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
      ],
    ])("%s", async (_, spoil) => {
      await using one = await contract.cell("one", () => {});
      await contract.apply({ one: { cell: one, circuitBreaker: inARow(1), concurrencyLimit: 1 } });
      for (let n = 0; n < 3; n++) {
        const before = one.requests.length;
        one.handler = () => {};
        await using client = await RawClient.connect(contract.router.url);
        await spoil(client, () => one.sees(before + 1));
        one.handler = (request) => request.respond();
        // One place only: once it is free, the router has recorded how the spoilt request ended.
        const response = await contract.askUntil(
          "one",
          "finds a place",
          ({ text }) => !text().includes("overloaded"),
        );
        expect(path(response)).toEqual(plainly("one"));
      }
    });
  });
}
