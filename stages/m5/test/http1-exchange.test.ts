import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import {
  type ConnectionScript,
  type HostileUpstream,
  respondToAll,
  startHostileUpstream,
} from "../../../shared/testkit/hostile-upstream.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import type { OwnedExchange } from "../src/sockets/request-owner.ts";
import { respond, TestRouter, type TestRouterOptions } from "./http1-router.ts";

const ok = (body = "ok", lines = ""): string =>
  `HTTP/1.1 200 OK\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
const get = (lines = "", line = "GET / HTTP/1.1"): string => `${line}\r\nHost: a\r\n${lines}\r\n`;
const post = (body: string, lines = ""): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${lines}\r\n${body}`;

/** Router, cell and one client, gone at the end of the test. */
async function open(script: ConnectionScript, options: TestRouterOptions) {
  await using stack = new AsyncDisposableStack();
  const cell = stack.use(await startHostileUpstream(script));
  const router = stack.use(await TestRouter.start(cell.url, options));
  const client = stack.use(await RawClient.connect(router.url));
  const owned = stack.move();
  return { cell, router, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const bodies = async (cell: HostileUpstream): Promise<string[]> =>
  (await cell.requestsSeen()).map((request) => request.body.toString());

describe.each([
  ["raw", true],
  ["as streams", false],
])("an exchange over sockets used %s", (_, raw) => {
  failOnLeaks();

  describe("that goes well", () => {
    test("carries requests and responses one after another over one connection each way", async () => {
      await using world = await open(respondToAll(ok()), { raw });
      for (let n = 0; n < 5; n++) {
        const response = await world.client.request(get());
        expect([response.status, response.text(), response.headers.one("x-routed-to")]).toEqual([
          200,
          "ok",
          "tier1",
        ]);
      }
      expect(world.cell.connections).toHaveLength(1);
      expect(world.router.results).toEqual(Array(5).fill({ kind: "complete", status: 200 }));
    });

    test("is the same when everything arrives one byte at a time", async () => {
      const chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n";
      await using world = await open(
        async (connection) => {
          for (;;) {
            await connection.readRequest();
            for (const byte of chunks) await connection.write(byte);
          }
        },
        { raw },
      );
      for (let n = 0; n < 2; n++) {
        const request = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e\r\nhello\r\n0\r\n\r\n`;
        for (const byte of request) await world.client.write(byte);
        const response = await world.client.readResponse({ method: "POST" });
        expect([response.text(), response.trailers.one("t"), response.ending]).toEqual([
          "abcd",
          "1",
          "complete",
        ]);
      }
      expect(await bodies(world.cell)).toEqual(["hello", "hello"]);
      expect(world.cell.connections[0]?.received().toString()).not.toContain(";e");
    });

    test("answers pipelined requests in order, whatever bodies they have", async () => {
      await using world = await open(
        async (connection) => {
          for (;;) {
            const { body } = await connection.readRequest();
            await connection.write(ok(`<${body}>`));
          }
        },
        { raw },
      );
      await world.client.write(get() + post("one") + post("") + get() + post("two"));
      const responses = [];
      for (let n = 0; n < 5; n++) responses.push((await world.client.readResponse()).text());
      expect(responses).toEqual(["<>", "<one>", "<>", "<>", "<two>"]);
    });

    test("answers any number of requests that come at once, one after the other", async () => {
      await using world = await open(
        async (connection) => {
          for (;;) await connection.write(ok((await connection.readRequest()).target));
        },
        { raw },
      );
      const count = 6_000;
      const requests = Array.from({ length: count }, (_, n) => get("", `GET /${n} HTTP/1.1`)).join("");
      const sending = world.client.write(requests);
      for (let n = 0; n < count; n++) {
        const response = await world.client.readResponse();
        if (response.text() !== `/${n}`) expect(response.text()).toBe(`/${n}`);
      }
      await sending;
      expect(world.cell.connections).toHaveLength(1);
    });

    test("loses nothing of a large body in either direction, and makes a fast writer wait", async () => {
      const size = 24_000_000;
      const body = Buffer.alloc(size, "0123456789abcdef");
      await using world = await open(
        async (connection) => {
          const request = await connection.readRequest();
          await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${request.bodyBytes}\r\n\r\n`);
          await connection.write(body);
        },
        { raw },
      );
      await world.client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
      await world.client.write(body);
      const head = await world.client.readHead();
      let at = 0;
      let same = true;
      const response = await world.client.readBody(head, {
        onBody: (piece) => {
          same &&= piece.equals(body.subarray(at, at + piece.length));
          at += piece.length;
        },
      });
      expect([same, response.bodyBytes, response.ending]).toEqual([true, size, "complete"]);
    });

    test("wraps a body without a length in chunks, so that its end can be told from a cut", async () => {
      const script: ConnectionScript = async (connection) => {
        await connection.readRequest();
        await connection.write("HTTP/1.1 200 OK\r\n\r\nuntil ");
        await connection.write("the end");
        await connection.close();
      };
      await using world = await open(script, { raw });
      const response = await world.client.request(get());
      expect([response.text(), response.ending]).toEqual(["until the end", "complete"]);
      expect((await world.client.request(get())).text()).toBe("until the end");
    });

    test("gives a client of HTTP/1.0 plain bodies, and keeps its connection where it asks for that", async () => {
      const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
      let responses = 0;
      await using world = await open(
        async (connection) => {
          for (;;) {
            await connection.readRequest();
            await connection.write(responses++ === 0 ? ok() : chunks);
          }
        },
        { raw },
      );
      const request = get("Connection: keep-alive\r\n", "GET / HTTP/1.0");
      const kept = await world.client.request(request);
      expect([kept.text(), kept.headers.one("connection")]).toEqual(["ok", "keep-alive"]);
      const closed = await world.client.request(request);
      expect([closed.text(), closed.headers.one("connection")]).toEqual(["abc", "close"]);
      expect(closed.headers.has("transfer-encoding")).toBe(false);
    });

    test("passes interim responses on, but 100 Continue only once and only where it was asked for", async () => {
      const hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
      await using world = await open(respondToAll(hints + ok()), { raw });
      const response = await world.client.request(get());
      expect(response.interim.map((each) => each.status)).toEqual([103]);
      await world.client.write(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
      );
      expect((await world.client.readHead()).status).toBe(100);
      await world.client.write("abc");
      expect(
        (await world.client.readResponse({ method: "POST" })).interim.map((each) => each.status),
      ).toEqual([103]);
      expect((await world.cell.requestsSeen()).at(-1)?.headers.has("expect")).toBe(false);
    });

    test("loses nothing where many interim responses and a large body come at once", async () => {
      const hints = `HTTP/1.1 103 Early Hints\r\nLink: ${"x".repeat(400)}\r\n\r\n`.repeat(100);
      const body = "0123456789abcdef".repeat(4_000);
      await using world = await open(respondToAll(hints + ok(body)), { raw });
      for (let n = 0; n < 3; n++) {
        const response = await world.client.request(get());
        expect([response.interim.length, response.text() === body]).toEqual([100, true]);
      }
    });
  });

  describe("with endless interim responses", () => {
    /** Sends interim heads until nobody takes them any more. */
    const flood =
      (head: string, sent: { bytes: number }): ConnectionScript =>
      async (connection) => {
        await connection.readRequest();
        while (await connection.write(head)) sent.bytes += head.length;
      };

    test.each([
      ["small heads", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
      ["large heads", `HTTP/1.1 103 Early Hints\r\nLink: <${"a".repeat(15_000)}>\r\n\r\n`],
      ["heads that go no further", "HTTP/1.1 100 Continue\r\n\r\n"],
    ])("gives the cell up after 64 KiB of them: %s", async (_, head) => {
      const sent = { bytes: 0 };
      await using world = await open(flood(head, sent), { raw });
      const text = (await everythingSaid(world.client)).toString("latin1");
      expect(text.length).toBeLessThan(70_000);
      expect(text).toMatch(/HTTP\/1\.1 502 [\s\S]*upstream-broken$/);
      expect(world.router.results).toMatchObject([
        { code: "upstream-broken", cause: "interim responses too large", headSent: false },
      ]);
      await eventually(() => world.cell.connections[0]?.closed, { what: "the cell is told" });
    });

    /** Everything up to the end of the connection, which the request asks for. */
    async function everythingSaid(client: RawClient): Promise<Buffer> {
      await client.write(get("Connection: close\r\n"));
      return client.reader.toEnd();
    }

    test("passes as many as fit, and the response behind them", async () => {
      const hint = `HTTP/1.1 103 Early Hints\r\nLink: <${"a".repeat(9_960)}>\r\n\r\n`;
      await using world = await open(respondToAll(hint.repeat(6) + ok()), { raw });
      for (let n = 0; n < 3; n++) {
        const response = await world.client.request(get());
        expect([response.status, response.text()]).toEqual([200, "ok"]);
      }
      expect(world.cell.connections).toHaveLength(1);
    });
  });

  describe("with several attempts", () => {
    test("sends a request again whose response was dropped, and the client sees only the last one", async () => {
      let count = 0;
      await using world = await open(
        async (connection) => {
          for (;;) {
            await connection.readRequest();
            await connection.write(count++ < 2 ? "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy" : ok());
          }
        },
        {
          raw,
          drops: (head) => head.status === 503,
          onFailure: (exchange, _result, router) => router.attempt(exchange),
        },
      );
      const response = await world.client.request(get());
      expect([response.status, response.text()]).toEqual([200, "ok"]);
      const attempts = (await world.cell.requestsSeen()).map((each) => each.headers.one("x-attempt"));
      expect(attempts).toEqual(["1", "2", "3"]);
      expect(world.router.results.map((each) => each.kind)).toEqual(["discarded", "discarded", "complete"]);
    });

    test("sends a request with a body elsewhere when no connection could be made, with its body whole", async () => {
      const gone = await startHostileUpstream(respondToAll(ok()));
      const goneUrl = gone.url;
      await gone.close();
      await using world = await open(respondToAll(ok()), {
        raw,
        onRequest: (exchange, router) => router.attempt(exchange, goneUrl),
        onFailure: (exchange, _result, router) => router.attempt(exchange),
      });
      expect((await world.client.request(post("order"))).text()).toBe("ok");
      expect(await bodies(world.cell)).toEqual(["order"]);
      expect(world.router.results[0]).toMatchObject({
        kind: "failed",
        code: "upstream-unreachable",
        cause: "ECONNREFUSED",
      });
    });

    test("says so when a connection that had been used before breaks without a response", async () => {
      let count = 0;
      await using world = await open(
        async (connection) => {
          for (;;) {
            await connection.readRequest();
            if (count++ === 1) return connection.reset();
            await connection.write(ok());
          }
        },
        { raw, onFailure: (exchange, _result, router) => router.attempt(exchange) },
      );
      for (let n = 0; n < 2; n++) expect((await world.client.request(get())).text()).toBe("ok");
      expect(world.router.results[1]).toMatchObject({
        kind: "failed",
        staleConnection: true,
        headSent: false,
      });
    });

    test("refuses to send a body again of which part is spent", async () => {
      let thrown: unknown;
      await using world = await open(
        async (connection) => {
          await connection.readHead();
          connection.reset();
        },
        {
          raw,
          onFailure: (exchange, _result, router) => {
            expect(exchange.isReplayable).toBe(false);
            try {
              router.attempt(exchange);
            } catch (error) {
              thrown = error;
            }
            respond(exchange, 502, "broken");
          },
        },
      );
      expect((await world.client.request(post("order"))).status).toBe(502);
      expect(thrown).toBeInstanceOf(Error);
    });
  });

  describe("that fails", () => {
    test("answers in words when the fault comes along with the head, and cuts when the head is out", async () => {
      let first = true;
      await using world = await open(
        async (connection) => {
          await connection.readRequest();
          const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
          if (first) {
            first = false;
            await connection.write(`${head}nonsense\r\n`);
            return;
          }
          await connection.write(`${head}3\r\nabc\r\n`);
          await eventually(() => seen, { what: "the client has the head" });
          await connection.write("nonsense\r\n");
        },
        { raw },
      );
      let seen = false;
      expect((await world.client.request(get())).status).toBe(502);
      await world.client.write(get());
      const head = await world.client.readHead();
      seen = true;
      expect((await world.client.readBody(head)).ending).toBe("truncated");
      expect(world.router.results).toMatchObject([
        { code: "upstream-broken", headSent: false },
        { code: "upstream-broken", headSent: true },
      ]);
    });

    test.each([
      ["connect", 5_000, "connect-timeout"],
      ["head", 10_000, "head-timeout"],
    ])("gives up on a cell after its time for the %s", async (what, limitMs, code) => {
      // A listener with a full queue would be needed to hang a connect; a limit of nothing does the same.
      const limits = what === "connect" ? { connectTimeoutMs: -1_000 } : {};
      await using world = await open(async (connection) => void (await connection.readRequest()), {
        raw,
        limits,
        ...(what === "connect" && {
          onRequest: (exchange, router) => {
            router.attempt(exchange);
            router.pass(250);
          },
        }),
      });
      await world.client.write(get());
      if (what === "head") {
        await eventually(() => world.cell.connections[0]?.receivedBytes, {
          what: "the cell has the request",
        });
        world.router.pass(limitMs - 1);
        expect(world.router.results).toEqual([]);
        world.router.pass(1);
      }
      const response = await world.client.readResponse();
      expect([response.status, response.text()]).toEqual([502, code]);
    });

    test("cuts a response that stands still, and none that comes slowly", async () => {
      await using world = await open(
        async (connection) => {
          await connection.readRequest();
          await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
          await connection.reader.chunk();
        },
        { raw },
      );
      await world.client.write(get());
      const head = await world.client.readHead();
      world.router.pass(29_000);
      await world.cell.connections[0]?.write("def");
      let text = "";
      const body = world.client.readBody(head, {
        onBody: (piece) => {
          text += piece;
        },
      });
      await eventually(() => text === "abcdef", { what: "the second piece" });
      world.router.pass(29_000);
      expect(world.router.results).toEqual([]);
      world.router.pass(2_000);
      expect((await body).ending).toBe("truncated");
      expect(world.router.results).toMatchObject([{ code: "body-timeout", headSent: true }]);
    });

    test("tells the cell when the client leaves", async () => {
      await using world = await open(
        async (connection) => {
          await connection.readRequest();
          await connection.untilClosed();
        },
        { raw },
      );
      await world.client.write(get());
      await eventually(() => world.cell.connections[0]?.receivedBytes, { what: "the cell has the request" });
      world.client.reset();
      await eventually(() => world.cell.connections[0]?.closed, {
        what: "the connection to the cell is closed",
      });
      expect(world.router.results).toEqual([{ kind: "client-aborted" }]);
    });

    test("tells the cell when the client leaves while another of its requests waits, which is never begun", async () => {
      await using world = await open(async (connection) => void (await connection.untilClosed()), { raw });
      await world.client.write(get() + get("", "GET /second HTTP/1.1"));
      await eventually(async () => (await world.cell.requestsSeen()).length === 1, {
        what: "it is under way",
      });
      world.client.reset();
      await eventually(() => world.cell.connections[0]?.closed, { what: "the cell is told" });
      expect(world.router.results).toEqual([{ kind: "client-aborted" }]);
      expect((await world.cell.requestsSeen()).map(({ target }) => target)).toEqual(["/"]);
      expect(world.router.listener.connectionCount).toBe(0);
    });

    test("begins no request of a client that was gone when the last one's response was written", async () => {
      let release = (): void => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      await using world = await open(
        async (connection) => {
          await connection.readRequest();
          await released;
          for (;;) {
            await connection.write(ok());
            await connection.readRequest();
          }
        },
        { raw },
      );
      // So much waits that the socket is not read, and nobody can know that the client has left.
      const waiting = get("", "GET /waits HTTP/1.1").repeat(8_000);
      void world.client.write(get() + waiting).catch(() => {});
      await eventually(async () => (await world.cell.requestsSeen()).length === 1, {
        what: "it is under way",
      });
      await eventually(() => world.client.unsentBytes === 0, { what: "the system has everything" });
      world.client.reset();
      release();
      await eventually(() => world.router.listener.connectionCount === 0, { what: "the connection is gone" });
      const seen = (await world.cell.requestsSeen()).map(({ target }) => target);
      expect(seen.length).toBeLessThanOrEqual(2);
      const endpoint = world.router.pool.endpoint(world.cell.url);
      await eventually(() => endpoint.connectionCount === endpoint.idleCount, { what: "nothing is in use" });
      await using next = await RawClient.connect(world.router.url);
      expect((await next.request(get())).status, "no connection in the pool is dead").toBe(200);
    });

    test("never uses a connection again whose cell answered before the request's end", async () => {
      await using world = await open(
        async (connection) => {
          await connection.readHead();
          await connection.write(ok("early"));
        },
        { raw },
      );
      await world.client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nstart");
      const response = await world.client.readResponse({ method: "POST" });
      expect([response.text(), response.headers.one("connection")]).toEqual(["early", "close"]);
      await world.client.write(`rest!${get()}`);
      expect(await world.client.untilClosed()).toBe("closed");
      await eventually(() => world.cell.connections[0]?.closed, {
        what: "the connection to the cell is closed",
      });
      expect(world.cell.connections).toHaveLength(1);
    });
  });

  describe("that the router answers itself", () => {
    const refusing = {
      onRequest: (exchange: OwnedExchange) => respond(exchange, 429, "slow down"),
    };

    test("keeps the connection, also behind a small body that nobody wants", async () => {
      await using world = await open(respondToAll(ok()), { raw, ...refusing });
      await world.client.write(get() + post("0".repeat(1_000)) + get("", "HEAD / HTTP/1.1") + get());
      for (const method of ["GET", "POST", "HEAD", "GET"]) {
        const response = await world.client.readResponse({ method });
        expect([response.status, response.text()]).toEqual([429, method === "HEAD" ? "" : "slow down"]);
      }
      expect(world.cell.connections).toEqual([]);
    });

    test("has returned to its owner before the request that waits behind it begins", async () => {
      const gone = await startHostileUpstream(respondToAll(ok()));
      const goneUrl = gone.url;
      await gone.close();
      const order: string[] = [];
      await using world = await open(respondToAll(ok()), {
        raw,
        onRequest: (exchange, router) => {
          order.push(`${exchange.request.head.path} begins`);
          router.attempt(exchange, goneUrl);
        },
        onFailure: (exchange) => {
          const { path } = exchange.request.head;
          respond(exchange, 502, "unreachable");
          // Still its own request's, whatever waits.
          order.push(`${path} has its response`, `${exchange.request.head.path} ends`);
        },
      });
      await world.client.write(get("", "GET /1 HTTP/1.1") + get("", "GET /2 HTTP/1.1"));
      for (let n = 0; n < 2; n++) expect((await world.client.readResponse()).status).toBe(502);
      expect(order).toEqual(
        ["/1", "/2"].flatMap((path) =>
          ["begins", "has its response", "ends"].map((what) => `${path} ${what}`),
        ),
      );
    });

    test.each([
      ["is large", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart`],
      ["is chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n"],
      ["may never come", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"],
    ])("closes, after the response was read, where the body %s", async (_, request) => {
      await using world = await open(respondToAll(ok()), { raw, ...refusing });
      await world.client.write(request);
      const response = await world.client.readResponse({ method: "POST" });
      expect([response.status, response.headers.one("connection")]).toEqual([429, "close"]);
      await world.client.write("more");
      expect(await world.client.untilClosed()).toBe("closed");
    });

    test("refuses what is no request, in its turn, and reads nothing behind it", async () => {
      await using world = await open(respondToAll(ok()), { raw });
      await world.client.write(`${get()}GET / HTTP/1.1\r\nHost: a\r\nHost : a\r\n\r\n${get()}`);
      expect((await world.client.readResponse()).status).toBe(200);
      const refusal = await world.client.readResponse();
      expect([refusal.status, refusal.text(), refusal.headers.one("connection")]).toEqual([
        400,
        "malformed-request",
        "close",
      ]);
      // Nothing is left of the request before it, or of what was read of this one.
      expect(world.router.refused).toEqual([{ method: "", path: "", fields: 0 }]);
      expect(await world.client.untilClosed()).toBe("closed");
      expect(await world.cell.requestsSeen()).toHaveLength(1);
    });

    test("refuses a body that is none, and the cell never takes it for whole", async () => {
      await using world = await open(
        async (connection) => {
          await connection.readHead();
          await connection.untilClosed();
        },
        {
          raw,
          onFailure: (exchange, result) =>
            respond(exchange, 400, result.kind === "failed" ? result.code : ""),
        },
      );
      await world.client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX");
      const response = await world.client.readResponse({ method: "POST" });
      expect([response.status, response.text()]).toEqual([400, "malformed-request"]);
      await eventually(() => world.cell.connections[0]?.closed, {
        what: "the connection to the cell is closed",
      });
      // The head had not left yet, or it has no whole body behind it.
      const endings = (await world.cell.requestsSeen()).map((each) => each.ending);
      expect(endings.filter((ending) => ending !== "truncated")).toEqual([]);
    });
  });

  describe("and the client's time", () => {
    test("ends a head that does not come to its end", async () => {
      await using world = await open(respondToAll(ok()), { raw });
      await world.client.write(`${get()}GET / HTTP/1.1\r\n`);
      expect((await world.client.readResponse()).status).toBe(200);
      world.router.pass(9_000);
      expect(world.router.refusals).toEqual([]);
      world.router.pass(2_000);
      const response = await world.client.readResponse();
      expect([response.status, response.text()]).toEqual([400, "request-timeout"]);
      expect(await world.client.untilClosed()).toBe("closed");
    });

    // m1 to m4 bear it too: a phone in a tunnel sends nothing for a while and then goes on.
    test("bears an upload that pauses, and ends one that never goes on; then the cell is told", async () => {
      await using world = await open(
        async (connection) => {
          await connection.readHead();
          await connection.untilClosed();
        },
        {
          raw,
          onFailure: (exchange, result) =>
            respond(exchange, 408, result.kind === "failed" ? result.code : ""),
        },
      );
      await world.client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nstart");
      await eventually(async () => (await bodies(world.cell))[0] === "start", {
        what: "the cell has the start",
      });
      world.router.pass(299_000);
      expect(world.router.results).toEqual([]);
      world.router.pass(2_000);
      expect((await world.client.readResponse({ method: "POST" })).text()).toBe("request-timeout");
      await eventually(() => world.cell.connections[0]?.closed, {
        what: "the connection to the cell is closed",
      });
    });

    test("ends a body that comes too slowly to come to its end, however steadily", async () => {
      await using world = await open(async (connection) => void (await connection.untilClosed()), {
        raw,
        onFailure: (exchange, result) => respond(exchange, 408, result.kind === "failed" ? result.code : ""),
      });
      await world.client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
      for (let n = 1; world.router.results.length === 0; n++) {
        await world.client.write("x");
        const came = async () =>
          (await bodies(world.cell))[0]?.length === n || world.router.results.length > 0;
        await eventually(came, { what: "the byte has come" });
        world.router.pass(20_000);
        expect(n).toBeLessThan(17);
      }
      expect((await world.client.readResponse({ method: "POST" })).text()).toBe("request-timeout");
    });

    test("closes an idle connection without a word", async () => {
      await using world = await open(respondToAll(ok()), { raw });
      await world.client.request(get());
      world.router.pass(64_000);
      expect((await world.client.request(get())).status).toBe(200);
      world.router.pass(66_000);
      expect((await world.client.reader.toEnd()).toString()).toBe("");
    });
  });

  test("a stop lets the exchange under way finish as the last one of its connection", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using world = await open(
      async (connection) => {
        await connection.readRequest();
        await released;
        await connection.write(ok());
      },
      { raw },
    );
    await using idle = await RawClient.connect(world.router.url);
    await eventually(() => world.router.listener.connectionCount === 2, {
      what: "both connections are accepted",
    });
    await world.client.write(get());
    await eventually(() => world.cell.connections[0]?.receivedBytes, { what: "the cell has the request" });
    const drained = world.router.listener.drain(10_000);
    expect(await idle.untilClosed()).toBe("closed");
    release();
    const response = await world.client.readResponse();
    expect([response.text(), response.headers.one("connection")]).toEqual(["ok", "close"]);
    expect(await world.client.untilClosed()).toBe("closed");
    // The clients have not closed their own side; nobody waits for them for long.
    world.router.pass(1_500);
    await drained;
  });
});
