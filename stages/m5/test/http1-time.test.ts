// Who has how long for what: time that this process lost counts for nobody, and nobody is ended for waiting for another.

import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import {
  type ConnectionScript,
  respondToAll,
  startHostileUpstream,
} from "../../../shared/testkit/hostile-upstream.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { HeldWrites } from "./held-writes.ts";
import { TestRouter, type TestRouterOptions } from "./http1-router.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = (length: number) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
const never = Number.POSITIVE_INFINITY;
const minutes = 60_000;

failOnLeaks();

async function open(script: ConnectionScript, options: Partial<TestRouterOptions> = {}) {
  await using stack = new AsyncDisposableStack();
  const cell = stack.use(await startHostileUpstream(script));
  const router = stack.use(await TestRouter.start(cell.url, { raw: true, ...options }));
  const client = stack.use(await RawClient.connect(router.url));
  const owned = stack.move();
  const requestsCame = (count: number) =>
    eventually(async () => (await cell.requestsSeen()).length === count, { what: `${count} requests` });
  return { cell, router, client, requestsCame, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A cell that responds when the test says so. */
function onCommand() {
  const commands: (() => void)[] = [];
  const script: ConnectionScript = async (connection) => {
    for (;;) {
      await connection.readRequest();
      await new Promise<void>((resolve) => commands.push(resolve));
      await connection.write(ok);
    }
  };
  const respond = async () => {
    await eventually(() => commands.length > 0, { what: "a request at the cell" });
    commands.shift()?.();
  };
  return { script, respond };
}

describe.each([
  ["raw", true],
  ["as streams", false],
])("time in which this process stood still, with sockets used %s", (_, raw) => {
  test("is counted against no cell, however often it happens", async () => {
    const { script, respond } = onCommand();
    await using world = await open(script, { raw });
    await world.client.write(get);
    await world.requestsCame(1);
    for (let n = 0; n < 10; n++) world.router.pass(14_000, true);
    expect(world.router.results).toEqual([]);
    await respond();
    expect((await world.client.readResponse()).status).toBe(200);
  });

  test("still ends a cell that does not respond in the time after it", async () => {
    await using world = await open(async (connection) => void (await connection.untilClosed()), { raw });
    await world.client.write(get);
    await world.requestsCame(1);
    world.router.pass(3_600_000, true);
    world.router.pass(10_000);
    expect((await world.client.readResponse()).text()).toBe("head-timeout");
  });

  test("makes idle connections too old to be used: the cell's time went on", async () => {
    await using world = await open(respondToAll(ok), { raw });
    await world.client.request(get);
    const endpoint = world.router.pool.endpoint(world.cell.url);
    expect(endpoint.idleCount).toBe(1);
    world.router.pass(14_000, true);
    expect(endpoint.idleCount, "no limit has ended it").toBe(1);
    await world.client.request(get);
    expect(world.cell.connections).toHaveLength(2);
  });
});

describe("an upload", () => {
  const fromRouter = (port: () => number) => new HeldWrites((socket) => socket.remotePort === port());

  async function openHeld() {
    let port = 0;
    const held = fromRouter(() => port);
    const world = await open(async (connection) => void (await connection.untilClosed()), {
      raw: held.raw,
    });
    port = world.cell.port;
    return { ...world, held };
  }

  test("leaves the cell its whole time for the response once the system has taken the last byte", async () => {
    await using world = await openHeld();
    await world.client.write(`${post(5)}hello`);
    await eventually(() => world.held.count === 1, { what: "the request waits for the cell" });
    world.router.pass(19_999);
    world.held.take();
    world.router.pass(9_999);
    expect(world.router.results).toEqual([]);
    world.router.pass(1);
    expect((await world.client.readResponse({ method: "POST" })).text()).toBe("head-timeout");
  });

  test("goes on as long as the cell takes something of it now and then", async () => {
    await using world = await openHeld();
    await world.client.write(post(5));
    await eventually(() => world.held.count === 1, { what: "the head waits for the cell" });
    world.held.take();
    for (const byte of "hello") {
      await world.client.write(byte);
      await eventually(() => world.held.count === 1, { what: "a byte waits for the cell" });
      world.router.pass(19_000);
      expect(world.router.results).toEqual([]);
      world.held.take();
    }
    await world.requestsCame(1);
  });

  test("is given up when the cell takes nothing of it for 20 seconds", async () => {
    await using world = await openHeld();
    await world.client.write(post(5));
    await eventually(() => world.held.count === 1, { what: "the head waits for the cell" });
    world.router.pass(19_999);
    expect(world.router.results).toEqual([]);
    world.router.pass(1);
    expect((await world.client.readResponse({ method: "POST" })).text()).toBe("head-timeout");
  });

  test.each([true, false])("to a cell that reads now and then comes whole; raw sockets: %s", async (raw) => {
    const size = 30_000_000;
    let allowed = 0;
    const script: ConnectionScript = async (connection) => {
      await connection.readHead();
      for (let taken = 0; taken < size; ) {
        const from = taken;
        await eventually(() => allowed > from, { what: "the cell may read", deadlineMs: 30_000 });
        taken += (await connection.reader.chunk())?.length ?? size;
      }
      await connection.write(ok);
    };
    let takenBytes = (): number => 0;
    const onRequest: TestRouterOptions["onRequest"] = (exchange, router) => {
      takenBytes = () => exchange.request.bytesIn;
      router.attempt(exchange);
    };
    await using world = await open(script, { raw, onRequest });
    const uploading = world.client.write(Buffer.concat([Buffer.from(post(size)), Buffer.alloc(size, "x")]));
    for (let n = 0; n < 6; n++) {
      const before = takenBytes();
      allowed += size / 6;
      await eventually(() => takenBytes() > before || takenBytes() === size, { what: "progress" });
      world.router.pass(19_000);
      expect(world.router.results).toEqual([]);
    }
    expect((await world.client.readResponse({ method: "POST" })).status).toBe(200);
    await uploading;
  });
});

describe("without the limits that can be turned off", () => {
  const limits = { headTimeoutMs: never, bodyIdleTimeoutMs: never };

  test("a response may take minutes to begin", async () => {
    const { script, respond } = onCommand();
    await using world = await open(script, { limits });
    await world.client.write(get);
    await world.requestsCame(1);
    world.router.pass(30 * minutes);
    expect(world.router.results).toEqual([]);
    await respond();
    expect((await world.client.readResponse()).status).toBe(200);
  });

  test("a stream may be silent for minutes", async () => {
    await using world = await open(
      async (connection) => {
        await connection.readRequest();
        await connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        await connection.untilClosed();
      },
      { limits },
    );
    await world.client.write(get);
    const head = await world.client.readHead();
    world.router.pass(30 * minutes);
    await world.cell.connections[0]?.write("2\r\nhi\r\n0\r\n\r\n");
    const response = await world.client.readBody(head);
    expect([response.text(), response.ending]).toEqual(["hi", "complete"]);
  });

  test("an idle connection may be silent for minutes", async () => {
    await using world = await open(respondToAll(ok), { clientLimits: { keepAliveTimeoutMs: never } });
    await world.client.request(get);
    world.router.pass(30 * minutes);
    expect((await world.client.request(get)).status).toBe(200);
  });
});

describe("a client that does not read", () => {
  async function openHeld() {
    let port = 0;
    const held = new HeldWrites((socket) => socket.localPort === port);
    const world = await open(respondToAll(ok), { raw: held.raw });
    port = Number(new URL(world.router.url).port);
    await world.client.write(get);
    await eventually(() => held.count === 1, { what: "the response waits for the client" });
    return { ...world, held };
  }

  test("is cut after 75 seconds", async () => {
    await using world = await openHeld();
    world.router.pass(74_999);
    expect(world.router.results).toEqual([]);
    world.router.pass(1);
    expect((await world.client.reader.toEnd()).length).toBe(0);
    expect(world.router.results).toEqual([{ kind: "client-aborted" }]);
  });

  test("is left alone once it has read", async () => {
    await using world = await openHeld();
    world.router.pass(74_999);
    world.held.take();
    expect((await world.client.readResponse()).status).toBe(200);
    expect(world.router.results).toEqual([{ kind: "complete", status: 200 }]);
  });
});

test("an empty line behind a body, with which old clients end one, begins no request", async () => {
  await using world = await open(respondToAll(ok));
  expect((await world.client.request(`${post(2)}hi\r\n`)).status).toBe(200);
  await eventually(() => world.router.results.length === 1, { what: "the request ends" });
  world.router.pass(60_000);
  expect((await world.client.request(get)).status).toBe(200);
});

test("a new connection that says nothing is closed without a word", async () => {
  await using world = await open(respondToAll(ok));
  world.router.pass(9_999);
  await eventually(() => world.router.listener.connectionCount === 1, { what: "it is accepted" });
  world.router.pass(10_001);
  expect((await world.client.reader.toEnd()).toString()).toBe("");
});
