// How many requests may be under way at one placement, and that every way out gives the place back.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import { expectRefused, path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabCell, LabHandler, LabRequest } from "./lab-cell.ts";

/** Answers nothing until the case does. */
const hold: LabHandler = () => {};

export function describeConcurrency(contract: ResilienceContract): void {
  /** Brings `count` requests under way at a cell that holds them, and returns the way to let them go. */
  const occupy = async (key: string, cell: LabCell, count: number) => {
    const before = cell.requests.length;
    const handler = cell.handler;
    cell.handler = hold;
    const responses = Array.from({ length: count }, () => contract.ask(key));
    await cell.sees(before + count);
    cell.handler = handler;
    return {
      release: async () => {
        for (const request of cell.requests.slice(before, before + count)) request.respond();
        expect((await Promise.all(responses)).map(({ status }) => status)).toEqual(Array(count).fill(200));
      },
    };
  };

  /** Asserts that exactly `limit` places are free: as many get in, one more does not. */
  const expectFree = async (key: string, cell: LabCell, limit: number) => {
    const held = await occupy(key, cell, limit);
    expectRefused(await contract.ask(key), 503, "overloaded");
    await held.release();
  };

  describe("the concurrency limit", () => {
    test("refuses what is over it at once, and serves again when a place is free", async () => {
      await using one = await contract.cell("one");
      await using two = await contract.cell("two");
      await contract.apply({
        one: { cell: one, concurrencyLimit: 3 },
        two: { cell: two, concurrencyLimit: 3 },
      });
      const held = await occupy("one", one, 3);
      const refused = await Promise.all(Array.from({ length: 10 }, () => contract.ask("one")));
      for (const response of refused) {
        expectRefused(response, 503, "overloaded");
        expect(response.headers.one("x-routed-to")).toBe("one");
      }
      expect(one.requests, "no cell sees what is refused").toHaveLength(3);
      expect(path(await contract.ask("two")), "another placement").toEqual(plainly("two"));
      await held.release();
      await expectFree("one", one, 3);
    });

    test("is not passed on: an overloaded placement does not fail over", async () => {
      await using one = await contract.cell("one");
      await using two = await contract.cell("two");
      await contract.apply({
        one: { cell: one, concurrencyLimit: 1, fallback: ["two"] },
        two: { cell: two },
      });
      const held = await occupy("one", one, 1);
      expectRefused(await contract.ask("one"), 503, "overloaded");
      expect(two.requests).toHaveLength(0);
      await held.release();
    });

    test("of a fallback holds for those who fail over to it", async () => {
      await using one = await contract.cell("one");
      await using two = await contract.cell("two");
      await contract.apply({
        one: { cell: one, fallback: ["two"] },
        two: { cell: two, concurrencyLimit: 1 },
      });
      await one.down();
      const held = await occupy("two", two, 1);
      const response = await contract.ask("one");
      expect([502, 503]).toContain(response.status);
      expect(two.requests, "the fallback's place is taken").toHaveLength(1);
      await held.release();
      expect(path(await contract.ask("one"))).toMatchObject({ status: 200, to: "two" });
      await expectFree("two", two, 1);
    });

    test("of the placement that was routed to bounds what spills over", async () => {
      await using one = await contract.cell("one");
      await using two = await contract.cell("two");
      await contract.apply({
        one: { cell: one, concurrencyLimit: 2, fallback: ["two"] },
        two: { cell: two },
      });
      await one.down();
      const held = await occupy("one", two, 2);
      expectRefused(await contract.ask("one"), 503, "overloaded");
      await held.release();
    });

    test("follows pushes while requests are under way", async () => {
      await using one = await contract.cell("one");
      const withLimit = (concurrencyLimit: number) =>
        contract.apply({ one: { cell: one, concurrencyLimit } });
      await withLimit(1);
      const first = await occupy("one", one, 1);
      expectRefused(await contract.ask("one"), 503, "overloaded");
      await withLimit(2);
      const second = await occupy("one", one, 1);
      await withLimit(1);
      await first.release();
      expectRefused(await contract.ask("one"), 503, "overloaded");
      await second.release();
      await expectFree("one", one, 1);
    });

    test("starts anew where a push gives the placement another cell: the old one may hang", async () => {
      await using old = await contract.cell("one");
      await using next = await contract.cell("one");
      await contract.apply({ one: { cell: old, concurrencyLimit: 1 } });
      const held = await occupy("one", old, 1);
      await contract.apply({ one: { cell: next, concurrencyLimit: 1 } });
      expect(path(await contract.ask("one"))).toEqual(plainly("one"));
      await held.release();
      await expectFree("one", next, 1);
    });
  });

  describe("a place is given back", () => {
    const limit = 2;

    /** A way in which a request ends too early: with a connection to the router and the request as the cell sees it. */
    type Ending = (client: RawClient, cell: LabCell, seen: () => Promise<LabRequest>) => Promise<unknown>;

    const get = requestBytes({ key: "one" });
    const uploadHead = requestBytes({ method: "POST", key: "one", fields: ["Content-Length: 1000000"] });
    const chunkedHead = requestBytes({ method: "POST", key: "one", fields: ["Transfer-Encoding: chunked"] });

    const endings: [string, Ending][] = [
      [
        "when the client leaves before the response",
        async (client, _, seen) => {
          await client.write(get);
          const request = await seen();
          client.reset();
          await eventually(() => request.isGone, { what: "the cell feels it" });
        },
      ],
      [
        "when the client leaves in the middle of the response",
        async (client, _, seen) => {
          await client.write(get);
          const request = await seen();
          request.res.writeHead(200, { "Content-Length": 100 });
          request.res.write("some of it");
          await client.readHead();
          client.reset();
          await eventually(() => request.isGone, { what: "the cell feels it" });
        },
      ],
      [
        "when the client stops reading a long response, and leaves",
        async (client, _, seen) => {
          await client.write(get);
          const request = await seen();
          request.res.writeHead(200, { "Content-Length": 16_000_000 });
          request.res.write(Buffer.alloc(16_000_000, "x"));
          await client.readHead();
          client.reset();
          await eventually(() => request.isGone, { what: "the cell feels it", deadlineMs: 10_000 });
        },
      ],
      [
        "when the client resets its connection in the middle of the upload",
        async (client, _, seen) => {
          await client.write(`${uploadHead}some of it`);
          await seen();
          client.reset();
        },
      ],
      [
        "when the client closes its side in the middle of the upload",
        async (client, _, seen) => {
          await client.write(`${uploadHead}some of it`);
          await seen();
          client.halfClose();
          await client.untilClosed();
        },
      ],
      [
        "when the upload's framing breaks",
        async (client, _, seen) => {
          await client.write(chunkedHead);
          await client.write("5\r\nhello\r\n");
          await seen();
          await client.write("zzz\r\n");
          await client.untilClosed();
        },
      ],
      [
        "when the cell resets the connection before it answers",
        async (client, _, seen) => {
          await client.write(requestBytes({ method: "POST", key: "one", body: "pay" }));
          (await seen()).reset();
          expect((await client.readResponse({ method: "POST" })).status).toBe(502);
        },
      ],
      [
        "when the cell resets the connection in the middle of its response",
        async (client, _, seen) => {
          await client.write(get);
          const request = await seen();
          request.res.writeHead(200, { "Content-Length": 100 });
          request.res.write("some of it", () => request.reset());
          expect((await client.readResponse()).ending).toBe("truncated");
        },
      ],
      [
        "when the cell answers before it has read the upload",
        async (client, _, seen) => {
          await client.write(`${uploadHead}some of it`);
          (await seen()).respond(413, "too large", { Connection: "close" });
          expect((await client.readResponse({ method: "POST" })).status).toBe(413);
        },
      ],
      [
        "when no connection to the cell can be made",
        async (client, cell) => {
          await cell.down();
          expect((await client.request(get)).status).toBe(502);
          await cell.up();
        },
      ],
    ];

    test.each(endings)("%s", async (_, end) => {
      await using cell = await contract.cell("one", hold);
      await contract.apply({ one: { cell, concurrencyLimit: limit } });
      for (let n = 0; n < limit * 2; n++) {
        const before = cell.requests.length;
        await using client = await RawClient.connect(contract.router.url);
        await end(client, cell, () => cell.sees(before + 1));
        // A router may notice a moment later than its client; the next one must then find a place.
        cell.handler = (request) => request.respond();
        await contract.askUntil("one", "is served", ({ status }) => status === 200);
        cell.handler = hold;
      }
      await expectFree("one", cell, limit);
    });

    test("when the client leaves during the wait before a retry", async () => {
      await using cell = await contract.cell("one", (request) => request.respond(503));
      // A place that came back with the end of the wait only would be missed for seconds.
      const retries = { maxRetries: 2, baseMs: 9000, capMs: 9000 };
      await contract.apply(
        { one: { cell, concurrencyLimit: 8, retries } },
        { retryBudget: { minPerSecond: 1000, maxBalance: 1000 } },
      );
      const clients = await Promise.all(
        Array.from({ length: 8 }, () => RawClient.connect(contract.router.url)),
      );
      await Promise.all(clients.map((client) => client.write(get)));
      await cell.sees(8);
      for (const client of clients) client.reset();
      const takenAt = performance.now();
      cell.handler = (request) => request.respond();
      await contract.askUntil("one", "is served", ({ status }) => status === 200);
      await expectFree("one", cell, 8);
      expect(performance.now() - takenAt).toBeLessThan(4000);
    });
  });
}
