// What the router tells of itself: metrics that a scraper can read and nobody can blow up, events as they happen, and
// who may look.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { form } from "../grades.ts";
import type { ResilienceContract } from "./contract.ts";
import { parsePrometheusText, sumOf } from "./prometheus-text.ts";

export function describeMetrics(contract: ResilienceContract): void {
  /** Without the collector's: Node names a kind of collection when it happens for the first time. */
  const series = (families: Awaited<ReturnType<typeof contract.metrics>>) =>
    [...families.values()]
      .filter(({ name }) => !name.startsWith("nodejs_gc_"))
      .reduce((sum, { samples }) => sum + samples.length, 0);

  describe("/metrics", form, () => {
    test("is in the text format of Prometheus, on the admin port alone", async () => {
      await contract.apply({});
      await contract.ask("anyone");
      const response = await contract.admin("/metrics");
      expect(response.status).toBe(200);
      expect(response.headers.one("content-type")).toMatch(/^text\/plain; *version=0\.0\.4/);
      const families = parsePrometheusText(response.text());
      for (const { name, help } of families.values()) {
        expect(name).toMatch(/^cell_router_[a-z_]+$/);
        expect(help).not.toBe("");
      }
      expect((await contract.ask("anyone", { target: "/metrics" })).headers.one("x-cell")).toBe("shared");
      expect((await contract.admin("/metrics", { method: "HEAD" })).status).toBe(200);
      expect((await contract.admin("/metrics", { method: "POST" })).status).toBe(405);
    });

    test("counts requests, attempts, retries, failovers and refusals by placement", async () => {
      await using one = await contract.cell("one");
      await using two = await contract.cell("two");
      const placements = {
        one: { cell: one, fallback: ["two"], retries: { baseMs: 1, capMs: 1 } },
        two: { cell: two, circuitBreaker: { consecutiveFailures: 1, waitMs: 60_000 }, health: {} },
      };
      await contract.apply(placements, { keyLimits: { rare: { ratePerSecond: 0.01, burst: 1 } } });
      const before = await contract.metrics();
      one.handler = (request) => request.respond(one.requests.length === 1 ? 503 : 200);
      await contract.ask("one");
      await one.down();
      await contract.ask("one", { method: "POST", body: "x" });
      await contract.ask("rare");
      await contract.ask("rare");
      two.handler = (request) => request.respond(503);
      await contract.ask("two");
      const grew = async (name: string, labels: Record<string, string>) =>
        sumOf(await contract.metrics(), name, labels) - sumOf(before, name, labels);
      const prefix = "cell_router_";
      // A request counts when its response has ended, which a client can see a moment earlier.
      const counted = async () => (await grew(`${prefix}requests_total`, { placement: "two" })) === 1;
      await eventually(counted, { what: "the last request is counted" });
      expect(
        await grew(`${prefix}requests_total`, { placement: "one", status: "2xx", outcome: "complete" }),
      ).toBe(2);
      expect(await grew(`${prefix}requests_total`, { placement: "shared", status: "4xx" })).toBe(1);
      // At least: a case that runs beside this one is refused as well.
      expect(await grew(`${prefix}refusals_total`, { code: "rate-limited" })).toBeGreaterThanOrEqual(1);
      expect(await grew(`${prefix}retries_total`, { placement: "one" })).toBe(1);
      expect(
        await grew(`${prefix}failovers_total`, { from: "one", to: "two", reason: "connect-failed" }),
      ).toBe(1);
      expect(await grew(`${prefix}attempts_total`, { placement: "one", result: "failure" })).toBe(2);
      expect(await grew(`${prefix}attempts_total`, { placement: "one", result: "success" })).toBe(1);
      expect(await grew(`${prefix}request_duration_seconds_count`, { placement: "one" })).toBe(2);
      const now = await contract.metrics();
      expect(sumOf(now, `${prefix}breaker_state`, { placement: "two" }), "open").toBe(2);
      expect(sumOf(now, `${prefix}healthy`, { placement: "two" })).toBe(1);
      for (const placement of ["one", "two"]) expect(sumOf(now, `${prefix}in_flight`, { placement })).toBe(0);
    });

    test("grows with nothing that a client can invent", async () => {
      await contract.apply({});
      const inventions = async (count: number) => {
        const asked = Array.from({ length: count }, (_, n) =>
          contract.ask(`invented-key-${n}`, {
            method: ["GET", "PURGE", "PROPFIND", "REPORT"][n % 4] ?? "GET",
            target: `/invented-path-${n}`,
            fields: [`X-Request-Id: invented-id-${n}`, `X-Invented-${n}: 1`],
          }),
        );
        await Promise.all(asked);
      };
      await inventions(20);
      const before = series(await contract.metrics());
      await inventions(200);
      const text = (await contract.admin("/metrics")).text();
      expect(series(parsePrometheusText(text))).toBe(before);
      expect(text).not.toMatch(/invented|PURGE/);
    });
  });
}

export function describeEvents(contract: ResilienceContract): void {
  describe("/events", form, () => {
    test("streams the table, health and breakers as they change, in order", async () => {
      await using one = await contract.cell("one");
      await using events = await contract.eventsFromNow();
      expect(events.status).toBe(200);
      expect(events.headers["content-type"]).toMatch(/^text\/event-stream/);
      const circuitBreaker = { consecutiveFailures: 2, waitMs: 50, maxWaitMs: 50, halfOpenProbes: 1 };
      const health = { intervalMs: 10, timeoutMs: 1000, rise: 1, fall: 1 };
      const table = contract.table({ one: { cell: one, circuitBreaker, health } });
      await contract.applyTable(table);
      await events.first(
        "the table",
        ({ type, data }) => type === "table" && data["version"] === table["version"],
      );
      one.handler = (request) => request.respond(503);
      for (let n = 0; n < 2; n++) await contract.ask("one");
      one.handler = (request) => request.respond();
      await contract.servedBy("one", "one");
      await events.first("closed", ({ data }) => data["placement"] === "one" && data["to"] === "closed");
      expect(events.changes("breaker", "one")).toEqual([
        "closed → open",
        "open → half-open",
        "half-open → closed",
      ]);
      one.onProbe = (probe) => probe.respond(500);
      await events.first(
        "unhealthy",
        ({ data }) => data["placement"] === "one" && data["to"] === "unhealthy",
      );
      one.onProbe = (probe) => probe.respond(200);
      await events.first("healthy", ({ data }) => data["placement"] === "one" && data["to"] === "healthy");
      expect(events.changes("health", "one").slice(0, 2)).toEqual([
        "healthy → unhealthy",
        "unhealthy → healthy",
      ]);
      const ids = events.events.map(({ id }) => id);
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
      for (const { data } of events.events) expect(Date.parse(String(data["time"]))).not.toBeNaN();
    });

    test("a watcher that comes later, or comes back, gets what it has missed and nothing twice", async () => {
      const tables = [contract.table({}), contract.table({}), contract.table({})];
      for (const table of tables) await contract.applyTable(table);
      const isTable =
        (at: number) =>
        ({ data }: { data: Readonly<Record<string, unknown>> }) =>
          data["version"] === tables[at]?.["version"];
      await using late = await contract.events();
      const [, second] = [
        await late.first("the first", isTable(0)),
        await late.first("the second", isTable(1)),
      ];
      await using back = await contract.events({ "Last-Event-ID": String(second.id) });
      await back.first("the third", isTable(2));
      expect(back.events.some(isTable(1))).toBe(false);
      // The number of a router's former life means nothing to this one.
      await using fromElsewhere = await contract.events({ "Last-Event-ID": "900000000" });
      await fromElsewhere.first("the third", isTable(2));
    });

    test("shows decisions while somebody watches, without routing keys, and not too many", async () => {
      await contract.apply({});
      await using events = await contract.events();
      for (let n = 0; n < 100; n++) await contract.ask(`secret-tenant-${n}`);
      const decision = await events.first("a decision", ({ type }) => type === "decision");
      expect(decision.data).toMatchObject({
        placement: "shared",
        servedBy: "shared",
        status: 200,
        retries: 0,
      });
      expect(JSON.stringify(events.events)).not.toContain("secret-tenant");
    });

    test("a watcher that does not read holds nothing up", async () => {
      await using slow = await contract.events();
      slow.stopReading();
      for (let n = 0; n < 20; n++) await contract.apply({});
      const responses = await Promise.all(Array.from({ length: 50 }, () => contract.ask("anyone")));
      expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    });

    test("only so many may watch; who is over that is told when to come back", async () => {
      await using stack = new AsyncDisposableStack();
      const statuses: number[] = [];
      for (let n = 0; n < 40; n++) {
        const stream = stack.use(await contract.events());
        statuses.push(stream.status);
        if (stream.status === 503) expect(stream.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
      }
      expect(statuses.slice(0, 4)).toEqual([200, 200, 200, 200]);
      expect(statuses).toContain(503);
    });

    test("a HEAD does not take a watcher's place", async () => {
      const heads = Array.from({ length: 30 }, () => contract.admin("/events", { method: "HEAD" }));
      expect(new Set((await Promise.all(heads)).map(({ status }) => status))).toEqual(new Set([200]));
    });
  });

  describe("who may watch", () => {
    const host = () => new URL(contract.router.adminUrl).host;

    test.each([
      "http://127.0.0.1:5173",
      "http://127.0.0.1",
      "http://localhost:4173",
      "http://LOCALHOST:8080",
    ])("a page of this machine, %s, may read it", async (origin) => {
      const allowed = async () => {
        await using events = await contract.events({ Origin: origin, "Sec-Fetch-Site": "cross-site" });
        expect(events.headers["access-control-allow-origin"]).toBe(origin);
        return events.status === 200;
      };
      // A watcher of the case before may still be leaving.
      await eventually(allowed, { what: "it may watch" });
    });

    test.each([
      ["a page of another site", () => ({ Origin: "https://example.com" })],
      ["a page that claims this machine by its name", () => ({ Origin: "http://localhost.example.com" })],
      ["a page that claims this machine by its user", () => ({ Origin: "http://127.0.0.1:80@example.com" })],
      ["a page over https, which this machine's are not", () => ({ Origin: "https://localhost:8082" })],
      ["a page without an origin", () => ({ Origin: "null" })],
      ["an image on another site's page", () => ({ "Sec-Fetch-Site": "cross-site" })],
      [
        "a host name that leads here by DNS rebinding",
        () => ({ Host: `rebound.example.com:${host().split(":")[1]}` }),
      ],
      [
        "a rebound name with a local origin",
        () => ({ Host: "rebound.example.com", Origin: "http://127.0.0.1:5173" }),
      ],
    ])("%s may not", async (_, fields) => {
      await using events = await contract.events(fields());
      expect(events.status).toBe(403);
      expect(events.headers["access-control-allow-origin"]).toBeUndefined();
    });

    test.each(["/metrics", "/debug/config"])("no page at all may read %s", async (path) => {
      for (const origin of ["https://example.com", "http://127.0.0.1:5173", `http://${host()}`]) {
        const response = await contract.admin(path, { fields: [`Origin: ${origin}`] });
        expect(response.status).toBe(403);
        expect(response.headers.has("access-control-allow-origin")).toBe(false);
      }
    });
  });

  describe("the access log", form, () => {
    test("says who stood in, why, and how often it was tried", async ({ skip }) => {
      const { logs } = contract.router;
      if (logs === undefined) return skip("the suite cannot read this router's log");
      await using one = await contract.cell("one");
      await using two = await contract.cell("two", (request) =>
        request.respond(two.requests.length === 1 ? 503 : 200),
      );
      await contract.apply({
        one: { cell: one, fallback: ["two"] },
        two: { cell: two, retries: { baseMs: 1 } },
      });
      await one.down();
      await contract.ask("one", { fields: ["X-Request-Id: logged-here"] });
      const line = await eventually(() => logs().find((each) => each["requestId"] === "logged-here"), {
        what: "the request's line",
      });
      expect(line).toMatchObject({
        routingKey: "one",
        placement: "one",
        servedBy: "two",
        upstream: two.url,
        failoverReason: "connect-failed",
        retries: 1,
        status: 200,
        outcome: "complete",
      });
    });
  });
}
