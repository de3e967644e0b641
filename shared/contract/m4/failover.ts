// Who stands in for whom: only the chain that the table names, told truthfully, and never another tenant's own cell.

import { describe, expect, test } from "vitest";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import { expectRefused, path, plainly, type ResilienceContract } from "./contract.ts";
import type { LabCell, LabHandler } from "./lab-cell.ts";

const opensAtOnce = { consecutiveFailures: 1, minimumRequests: 1_000_000, waitMs: 60_000 };
const echo: LabHandler = async (request) => request.respond(200, `${request.method} ${await request.body()}`);

export function describeFailover(contract: ResilienceContract): void {
  const fallback = (to: string, reason = "connect-failed", from = "one") => {
    return { status: 200, to, cell: to, from, reason, retries: undefined };
  };
  const threeCells = async (stack: AsyncDisposableStack): Promise<[LabCell, LabCell, LabCell]> => {
    const start = async (name: string) => stack.use(await contract.cell(name, echo));
    return [await start("one"), await start("two"), await start("three")];
  };

  describe("failover", () => {
    test.each([
      ["GET", undefined],
      ["HEAD", undefined],
      ["DELETE", undefined],
      ["POST", "pay 10"],
      ["PATCH", "x".repeat(100_000)],
      ["PUT", ""],
    ])(
      "%s goes on to the fallback where no connection came about: nothing had been sent",
      async (method, body) => {
        await using stack = new AsyncDisposableStack();
        const [one, two, three] = await threeCells(stack);
        await contract.apply({
          one: { cell: one, fallback: ["two"] },
          two: { cell: two },
          three: { cell: three },
        });
        await one.down();
        const response = await contract.ask("one", { method, ...(body === undefined ? {} : { body }) });
        expect(path(response)).toEqual(fallback("two"));
        expect(response.headers.one("x-route-reason")).toBe("tier");
        if (method !== "HEAD") expect(response.text()).toBe(`${method} ${body ?? ""}`);
        expect([two.requests.length, three.requests.length]).toEqual([1, 0]);
        await one.up();
        expect(path(await contract.ask("one")), "as soon as it is back").toEqual(plainly("one"));
      },
    );

    test("a body in chunks, and one that waits for 100 Continue, reach the fallback whole", async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two] = await threeCells(stack);
      await contract.apply({ one: { cell: one, fallback: ["two"] }, two: { cell: two } });
      await one.down();
      const fields = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
      await using client = await RawClient.connect(contract.router.url);
      await client.write(requestBytes({ method: "POST", key: "one", fields }));
      expect((await client.readHead()).status).toBe(100);
      await client.write("5\r\nhello\r\n");
      await two.sees(1);
      await client.write("6\r\n again\r\n0\r\n\r\n");
      const response = await client.readResponse({ method: "POST" });
      expect(response.interim, "one 100 is enough").toEqual([]);
      expect([path(response), response.text()]).toEqual([fallback("two"), "POST hello again"]);
    });

    test("a client that waits for 100 Continue is refused without it when nobody may serve", async () => {
      await using one = await contract.cell("one", (request) => request.respond(503));
      await contract.apply({ one: { cell: one, circuitBreaker: opensAtOnce } });
      await contract.ask("one");
      const response = await contract.ask("one", {
        method: "POST",
        fields: ["Expect: 100-continue", "Content-Length: 4"],
      });
      expectRefused(response, 503, "circuit-open");
      expect(response.interim).toEqual([]);
    });

    test.each(["GET", "POST"])("%s goes nowhere else once it may have been read", async (method) => {
      await using stack = new AsyncDisposableStack();
      const [one, two] = await threeCells(stack);
      one.handler = (request) => request.reset();
      await contract.apply({ one: { cell: one, fallback: ["two"] }, two: { cell: two } });
      const response = await contract.ask("one", { method, ...(method === "POST" ? { body: "pay" } : {}) });
      expect(path(response)).toMatchObject({ status: 502, to: "one", from: undefined });
      expect(two.requests).toHaveLength(0);
    });

    test("an open circuit leads to the fallback, for every method", async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two] = await threeCells(stack);
      one.handler = (request) => request.respond(503);
      const placements = {
        one: { cell: one, fallback: ["two"], circuitBreaker: opensAtOnce },
        two: { cell: two },
      };
      await contract.apply(placements);
      expect(path(await contract.ask("one")), "a status is a response, and is passed on").toEqual(
        plainly("one", 503),
      );
      for (const method of ["GET", "POST"]) {
        expect(path(await contract.ask("one", { method, body: "x" }))).toEqual(
          fallback("two", "circuit-open"),
        );
      }
      expect(one.requests).toHaveLength(1);
    });

    test("the chain is asked in its order, and the next links after it", async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two, three] = await threeCells(stack);
      const both = {
        one: { cell: one, fallback: ["two", "three"] },
        two: { cell: two },
        three: { cell: three },
      };
      await contract.apply(both);
      await one.down();
      expect(path(await contract.ask("one"))).toEqual(fallback("two"));
      await two.down();
      expect(path(await contract.ask("one", { method: "POST", body: "x" }))).toEqual(fallback("three"));
      const links = {
        one: { cell: one, fallback: ["two"] },
        two: { cell: two, fallback: ["three"] },
        three: { cell: three },
      };
      await contract.apply(links);
      expect(path(await contract.ask("one"))).toEqual(fallback("three"));
      expect(path(await contract.ask("two"))).toEqual(fallback("three", "connect-failed", "two"));
    });

    test("a fallback's own circuit holds", async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two, three] = await threeCells(stack);
      two.handler = (request) => request.respond(503);
      await contract.apply({
        one: { cell: one, fallback: ["two", "three"] },
        two: { cell: two, circuitBreaker: opensAtOnce },
        three: { cell: three },
      });
      await contract.ask("two");
      await one.down();
      expect(path(await contract.ask("one"))).toEqual(fallback("three"));
      expect(two.requests).toHaveLength(1);
    });

    test("a fallback's failures count for the fallback", async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two] = await threeCells(stack);
      two.handler = (request) => request.respond(503);
      await contract.apply({
        one: { cell: one, fallback: ["two"] },
        two: { cell: two, circuitBreaker: opensAtOnce },
      });
      await one.down();
      expect(path(await contract.ask("one"))).toEqual({ ...fallback("two"), status: 503 });
      expectRefused(await contract.ask("two"), 503, "circuit-open");
    });

    test("with the whole chain gone, each of it is tried once, and the response is 502", async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two, three] = await threeCells(stack);
      await contract.apply({
        one: { cell: one, fallback: ["two", "three"] },
        two: { cell: two },
        three: { cell: three },
      });
      for (const cell of [one, two, three]) await cell.down();
      const response = await contract.ask("one", { method: "POST", body: "x" });
      expect(response.status).toBe(502);
      expect(response.json()["code"]).toBe("upstream-unreachable");
      expect(contract.shared.requests.filter((request) => request.method === "POST")).toEqual([]);
    });

    test("a tenant's own cell stands in for nobody, and nobody for it unless its table says so", async () => {
      await using stack = new AsyncDisposableStack();
      const [one, two, three] = await threeCells(stack);
      const own = { cell: one, kind: "dedicated", circuitBreaker: opensAtOnce } as const;
      const others = { two: { cell: two, kind: "dedicated" }, three: { cell: three } } as const;
      await contract.apply({ one: own, ...others });
      await one.down();
      expect(path(await contract.ask("one"))).toMatchObject({ status: 502, to: "one", from: undefined });
      expectRefused(await contract.ask("one"), 503, "circuit-open");
      expect([two.requests.length, three.requests.length]).toEqual([0, 0]);
      await contract.apply({ one: { ...own, fallback: ["three"] }, ...others });
      expect(path(await contract.ask("one"))).toEqual(fallback("three", "circuit-open"));
      expect(two.requests).toHaveLength(0);
    });

    test("the default placement is no fallback", async () => {
      await using one = await contract.cell("one");
      await contract.apply({ one: { cell: one } });
      const before = contract.shared.requests.length;
      await one.down();
      expect(path(await contract.ask("one"))).toMatchObject({ status: 502, to: "one", from: undefined });
      expect(contract.shared.requests).toHaveLength(before);
    });

    test("neither a client nor a cell can forge who stood in, or how often it was tried", async () => {
      const forged = { "X-Failover-From": "nobody", "X-Failover-Reason": "unhealthy", "X-Retry-Count": "9" };
      await using one = await contract.cell("one", (request) => {
        request.res.writeEarlyHints({ link: "</a>; rel=preload", ...forged });
        request.respond(200, "ok", forged);
      });
      await contract.apply({ one: { cell: one } });
      const fields = Object.entries(forged).map(([name, value]) => `${name}: ${value}`);
      const response = await contract.ask("one", { fields });
      expect(path(response)).toEqual(plainly("one"));
      const names = response.interim.flatMap(({ headers }) => headers.names());
      expect(names).toContain("link");
      expect(names.filter((name) => /failover|retry/.test(name))).toEqual([]);
    });

    test("requests that began under an older table end by it, and count for nothing in the next", async () => {
      await using old = await contract.cell("one", () => {});
      await using next = await contract.cell("one");
      await contract.apply({ one: { cell: old, circuitBreaker: opensAtOnce } });
      const asking = contract.ask("one", { method: "POST", body: "x" });
      const request = await old.sees(1);
      await contract.apply({ one: { cell: next, circuitBreaker: opensAtOnce } });
      request.respond(503, "from the old cell");
      expect((await asking).text()).toBe("from the old cell");
      expect(path(await contract.ask("one"))).toEqual(plainly("one"));
    });

    test("requests at a placement that a table takes away end well", async () => {
      await using one = await contract.cell("one", () => {});
      await contract.apply({ one: { cell: one, concurrencyLimit: 1, circuitBreaker: opensAtOnce } });
      const asking = contract.ask("one");
      const request = await one.sees(1);
      await contract.apply({});
      request.respond();
      expect(path(await asking)).toEqual(plainly("one"));
      await contract.apply({ one: { cell: one, concurrencyLimit: 1 } });
      one.handler = (each) => each.respond();
      expect(path(await contract.ask("one"))).toEqual(plainly("one"));
    });
  });
}
