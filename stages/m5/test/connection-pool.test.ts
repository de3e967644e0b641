import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import {
  type ConnectionScript,
  respondToAll,
  startHostileUpstream,
} from "../../../shared/testkit/hostile-upstream.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { TestRouter, type TestRouterOptions } from "./http1-router.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

failOnLeaks();

async function open(script: ConnectionScript, options: Partial<TestRouterOptions> = {}) {
  await using stack = new AsyncDisposableStack();
  const cell = stack.use(await startHostileUpstream(script));
  const router = stack.use(await TestRouter.start(cell.url, { raw: true, ...options }));
  const clients: RawClient[] = [];
  for (let n = 0; n < 3; n++) clients.push(stack.use(await RawClient.connect(router.url)));
  const owned = stack.move();
  const endpoint = router.pool.endpoint(cell.url);
  /** Every client sends at once, so that each needs a connection to the cell of its own. */
  const together = async () => {
    await Promise.all(clients.map((client) => client.write(get)));
    return Promise.all(clients.map((client) => client.readResponse()));
  };
  return { cell, router, clients, endpoint, together, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Answers once all three requests are there. */
function respondTogether(count = 3): ConnectionScript {
  let waiting = 0;
  return async (connection) => {
    for (;;) {
      await connection.readRequest();
      waiting++;
      await eventually(() => waiting >= count, { what: "every request has come" });
      await connection.write(ok);
    }
  };
}

describe("a pool", () => {
  test("gives out the connection that came back last", async () => {
    await using world = await open(respondTogether());
    await world.together();
    expect([world.cell.connections.length, world.endpoint.idleCount]).toEqual([3, 3]);
    const [client] = world.clients;
    const before = world.cell.connections.map((each) => each.receivedBytes);
    for (let n = 0; n < 5; n++) await client?.request(get);
    const used = world.cell.connections.filter((each, n) => each.receivedBytes > (before[n] ?? 0));
    expect(used).toHaveLength(1);
  });

  test("closes connections that nobody needed for a while, and keeps the one in use", async () => {
    await using world = await open(respondTogether());
    await world.together();
    for (let n = 0; n < 3; n++) {
      world.router.pass(1_500);
      await world.clients[0]?.request(get);
    }
    expect(world.endpoint.idleCount).toBe(1);
    world.router.pass(5_000);
    expect([world.endpoint.idleCount, world.endpoint.connectionCount]).toEqual([0, 0]);
    await eventually(() => world.cell.connections.every((each) => each.closed), { what: "all are closed" });
  });

  test("forgets a connection that the cell closed, before it is given out again", async () => {
    await using world = await open(respondToAll(ok));
    await world.clients[0]?.request(get);
    world.cell.connections[0]?.halfClose();
    await eventually(() => world.endpoint.idleCount === 0, { what: "the connection is gone" });
    expect((await world.clients[0]?.request(get))?.text()).toBe("ok");
    expect(world.router.results.map((each) => each.kind)).toEqual(["complete", "complete"]);
  });

  test("drops an idle connection on which bytes come that nobody asked for", async () => {
    await using world = await open(respondToAll(ok));
    await world.clients[0]?.request(get);
    await world.cell.connections[0]?.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
    await eventually(() => world.endpoint.connectionCount === 0, { what: "the connection is gone" });
    expect((await world.clients[0]?.request(get))?.text()).toBe("ok");
  });

  test("does not keep a connection on which more came than one response", async () => {
    await using world = await open(respondToAll(ok + ok));
    expect((await world.clients[0]?.request(get))?.text()).toBe("ok");
    expect(world.endpoint.connectionCount).toBe(0);
  });

  test.each([
    ["says that it closes", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
    ["speaks HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
  ])("does not keep a connection whose cell %s", async (_, bytes) => {
    await using world = await open(respondToAll(bytes));
    expect((await world.clients[0]?.request(get))?.text()).toBe("ok");
    expect(world.endpoint.connectionCount).toBe(0);
  });

  test("keeps no more idle connections than it may", async () => {
    await using world = await open(respondTogether(), { limits: { maxIdle: 2 } });
    await world.together();
    expect([world.endpoint.idleCount, world.endpoint.connectionCount]).toEqual([2, 2]);
  });

  test("closes a removed endpoint's idle connections at once, and a busy one after its response", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let requests = 0;
    await using world = await open(async (connection) => {
      for (;;) {
        await connection.readRequest();
        if (++requests === 2) await released;
        await connection.write(ok);
      }
    });
    const [first, second] = world.clients;
    await first?.request(get);
    await first?.write(get);
    await eventually(() => requests === 2, { what: "the second request has come" });
    await second?.request(get);
    expect([world.endpoint.idleCount, world.endpoint.connectionCount]).toEqual([1, 2]);
    world.router.pool.retainOnly(new Set());
    expect([world.endpoint.idleCount, world.endpoint.connectionCount]).toEqual([0, 1]);
    release();
    expect((await first?.readResponse())?.text()).toBe("ok");
    await eventually(() => world.endpoint.connectionCount === 0, { what: "the last connection is closed" });
  });
});
