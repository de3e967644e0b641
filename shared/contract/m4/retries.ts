// Which requests are tried again, how often, and what that may cost a cell that is in trouble.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import { path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabCell, LabHandler } from "./lab-cell.ts";

const soon = { maxRetries: 2, baseMs: 1, capMs: 2 };
/** So large that no case comes to its end. */
const plenty = { retryBudget: { ratio: 1, minPerSecond: 1000, maxBalance: 1000 } };

/** Fails the first `count` requests. */
const failFirst = (
  count: number,
  fail: LabHandler = (request) => request.respond(503, "busy"),
): LabHandler => {
  let left = count;
  return (request) => (left-- > 0 ? fail(request) : request.respond());
};

export function describeRetries(contract: ResilienceContract): void {
  const retried = (count: string) => ({ ...plainly("one"), retries: count });

  describe("retries", () => {
    test.each(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])(
      "%s without a body is tried again",
      async (method) => {
        await using one = await contract.cell("one", failFirst(1));
        await contract.apply({ one: { cell: one, retries: soon } }, plenty);
        const body = method === "PUT" ? { body: "" } : {};
        expect(path(await contract.ask("one", { method, ...body }))).toEqual(retried("1"));
        expect(one.requests.map((request) => request.method)).toEqual([method, method]);
      },
    );

    test.each<[string, string, string | undefined]>([
      ["a POST", "POST", "pay"],
      ["a POST without a body", "POST", ""],
      ["a PATCH", "PATCH", "x"],
      ["a PUT with a body", "PUT", "x"],
      ["a GET with a body", "GET", "x"],
      ["a method that the router does not know", "PURGE", undefined],
    ])("%s is not, and its response is passed on as it is", async (_, method, body) => {
      await using one = await contract.cell(
        "one",
        failFirst(1, (request) => request.respond(503, "busy", { "X-Own": "1" })),
      );
      await contract.apply({ one: { cell: one, retries: soon } }, plenty);
      const response = await contract.ask("one", { method, ...(body === undefined ? {} : { body }) });
      expect([path(response), response.text(), response.headers.one("x-own")]).toEqual([
        plainly("one", 503),
        "busy",
        "1",
      ]);
      expect(one.requests).toHaveLength(1);
    });

    test.each<[string, LabHandler]>([
      ["502", (request) => request.respond(502)],
      ["504", (request) => request.respond(504)],
      ["a reset before the response", (request) => request.reset()],
      ["a connection that ends before the response", (request) => request.req.socket.end()],
      ["a response that is not HTTP", (request) => request.req.socket.end("nonsense\r\n\r\n")],
    ])("after %s", async (_, fail) => {
      await using one = await contract.cell("one", failFirst(2, fail));
      await contract.apply({ one: { cell: one, retries: soon } }, plenty);
      expect(path(await contract.ask("one"))).toEqual(retried("2"));
      expect(one.requests).toHaveLength(3);
    });

    test.each([200, 301, 404, 408, 429, 500, 501])("not after %i: that is a response", async (status) => {
      await using one = await contract.cell("one", (request) => request.respond(status));
      await contract.apply({ one: { cell: one, retries: soon } }, plenty);
      expect(path(await contract.ask("one"))).toEqual(plainly("one", status));
      expect(one.requests).toHaveLength(1);
    });

    test("at most twice; the last response is the cell's own", async () => {
      await using one = await contract.cell("one", (request) =>
        request.respond(503, `no ${one.requests.length}`),
      );
      await contract.apply({ one: { cell: one, retries: soon } }, plenty);
      const response = await contract.ask("one");
      expect([path(response), response.text()]).toEqual([{ ...retried("2"), status: 503 }, "no 3"]);
      await contract.apply({ one: { cell: one, retries: { ...soon, maxRetries: 1 } } }, plenty);
      expect(path(await contract.ask("one"))).toEqual({ ...retried("1"), status: 503 });
      await contract.apply({ one: { cell: one, retries: { ...soon, maxRetries: 0 } } }, plenty);
      expect(path(await contract.ask("one"))).toEqual(plainly("one", 503));
      expect(one.requests).toHaveLength(3 + 2 + 1);
    });

    test("not once a byte of a response has gone to the client", async () => {
      await using one = await contract.cell("one", (request) => {
        request.res.writeHead(200, { "Content-Length": 100, "X-Cell": "one" });
        request.res.write("some of it", () => request.reset());
      });
      await contract.apply({ one: { cell: one, retries: soon } }, plenty);
      const response = await contract.ask("one");
      expect([path(response), response.ending]).toEqual([plainly("one"), "truncated"]);
      expect(one.requests).toHaveLength(1);
    });

    test("not once an interim response has gone to the client", async () => {
      await using one = await contract.cell("one", (request) => {
        request.res.writeEarlyHints({ link: "</a>; rel=preload" });
        request.respond(503);
      });
      await contract.apply({ one: { cell: one, retries: soon } }, plenty);
      const response = await contract.ask("one");
      expect(path(response)).toEqual(plainly("one", 503));
      expect(response.interim.map(({ status }) => status)).toEqual([103]);
      expect(one.requests).toHaveLength(1);
    });

    test("not once the client has left", async () => {
      await using one = await contract.cell("one", () => {});
      await contract.apply({ one: { cell: one, retries: soon } }, plenty);
      await using client = await RawClient.connect(contract.router.url);
      await client.write(requestBytes({ key: "one" }));
      const request = await one.sees(1);
      client.reset();
      await eventually(() => request.isGone, { what: "the cell feels it" });
      one.handler = (each) => each.respond();
      for (let n = 0; n < 20; n++) await contract.ask("one");
      expect(one.requests).toHaveLength(21);
    });

    test.each(["GET", "POST"])(
      "a connection that cannot be made is tried again for %s, and may come about",
      async (method) => {
        await using one = await contract.cell("one");
        // Long enough a wait for the cell to come back in it, most of the time; and asked again until it does.
        const retries = { maxRetries: 2, baseMs: 400, capMs: 400 };
        await contract.apply({ one: { cell: one, retries } }, plenty);
        const comesBack = async () => {
          await one.down();
          const asking = contract.ask("one", { method, ...(method === "POST" ? { body: "pay" } : {}) });
          await new Promise((resolve) => setTimeout(resolve, 30));
          await one.up();
          const response = path(await asking);
          return response["status"] === 200 && response["retries"] !== undefined ? response : undefined;
        };
        const response = await eventually(comesBack, {
          what: "a retry finds the cell back",
          deadlineMs: 15_000,
        });
        expect(response).toMatchObject({ status: 200, to: "one", from: undefined });
      },
    );

    test("a retry goes where the request would go now", async () => {
      await using one = await contract.cell("one", (request) => request.respond(503));
      await using two = await contract.cell("two");
      const circuitBreaker = { consecutiveFailures: 1, waitMs: 60_000 };
      const placements = {
        one: { cell: one, retries: soon, circuitBreaker, fallback: ["two"] },
        two: { cell: two },
      };
      await contract.apply(placements, plenty);
      const expected = {
        status: 200,
        to: "two",
        cell: "two",
        from: "one",
        reason: "circuit-open",
        retries: "1",
      };
      expect(path(await contract.ask("one"))).toEqual(expected);
      expect([one.requests.length, two.requests.length]).toEqual([1, 1]);
    });

    test("a retry that nobody takes is not counted as one", async () => {
      await using one = await contract.cell("one", (request) => request.respond(503));
      const circuitBreaker = { consecutiveFailures: 1, waitMs: 60_000 };
      await contract.apply({ one: { cell: one, retries: soon, circuitBreaker } }, plenty);
      expect(path(await contract.ask("one"))).toMatchObject({ status: 503, to: "one", retries: undefined });
      expect(one.requests).toHaveLength(1);
    });
  });

  describe("the retry budget", () => {
    const budget = { retryBudget: { ratio: 0.2, minPerSecond: 0, maxBalance: 10 } };
    const requests = 500;
    const clients = 10;

    /** Sends `requests` GETs from several clients, each on one connection. */
    const flood = async () => {
      const ask = async () => {
        for (let n = 0; n < requests / clients; n++) {
          const response = await contract.ask("one");
          expect([502, 503]).toContain(response.status);
        }
      };
      await Promise.all(Array.from({ length: clients }, ask));
    };

    test.each<[string, LabHandler]>([
      ["answers every request with 503", (request) => request.respond(503)],
      ["resets every connection", (request) => request.reset()],
    ])("a cell that %s gets at most 1.2 times the load", async (_, handler) => {
      await using one = await contract.cell("one", handler);
      await contract.apply({ one: { cell: one, retries: soon } }, budget);
      await flood();
      expect(one.requests.length).toBeLessThanOrEqual(requests * 1.2);
      expect(one.requests.length, "and the budget is used").toBeGreaterThan(requests * 1.15);
    });

    test("is one for each placement: a cell in trouble spends nobody else's", async () => {
      await using one = await contract.cell("one", (request) => request.respond(503));
      await using two = await contract.cell("two");
      await contract.apply({ one: { cell: one, retries: soon }, two: { cell: two, retries: soon } }, budget);
      // Five requests pay for one retry; then the other placement burns its own budget.
      for (let n = 0; n < 5; n++) await contract.ask("two");
      await flood();
      two.handler = failFirst(1);
      expect(path(await contract.ask("two"))).toMatchObject({ status: 200, retries: "1" });
    });

    test("a quiet placement still gets its retries per second", async () => {
      await using one = await contract.cell("one", failFirst(1));
      await contract.apply(
        { one: { cell: one, retries: soon } },
        { retryBudget: { ratio: 0.01, minPerSecond: 2 } },
      );
      expect(path(await contract.ask("one"))).toEqual(retried("1"));
    });

    test("a push cannot refill it", async () => {
      await using one: LabCell = await contract.cell("one", (request) => request.respond(503));
      await contract.apply({ one: { cell: one, retries: soon } }, budget);
      for (let n = 0; n < 5; n++) {
        await contract.ask("one");
        await contract.apply({ one: { cell: one, retries: soon } }, budget);
      }
      expect(one.requests).toHaveLength(5 + 1);
    });
  });
}
