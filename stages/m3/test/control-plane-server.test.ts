// The control plane's sockets against clients that do not let go: refused means closed, a stop ends, and what can be held
// is bounded. Real sockets, on a clock that a test moves.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { Bearer } from "../src/control-plane/access.ts";
import { Fleet } from "../src/control-plane/fleet.ts";
import { HttpApi } from "../src/control-plane/http-api.ts";
import type { LoadLimits } from "../src/control-plane/responses.ts";
import { type ConnectionLimits, ControlPlaneServer } from "../src/control-plane/server.ts";
import type { RoutingStore } from "../src/control-plane/store.ts";
import { setKey } from "../src/control-plane/stored.ts";
import { StoreWorld } from "./store-world.ts";

failOnLeaks();

const token = "a-token-of-this-test";
const authorization = `Authorization: Bearer ${token}`;
const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
const handshake = [...upgrade, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];

const limits: ConnectionLimits = { maxConnections: 200, maxLinks: 10, unreadTimeoutMs: 10_000 };

let world: StoreWorld;
let store: RoutingStore;
let fleet: Fleet;
let clock: FakeClock;
let port: number;
let server: ControlPlaneServer;
const clients: Client[] = [];
const links: WebSocket[] = [];

async function start(own: ConnectionLimits = limits, load?: LoadLimits, keys = 0): Promise<void> {
  store = await world.open();
  for (let key = 0; key < keys; key++)
    await store.write(setKey(`k${key}-${"x".repeat(200)}`, "tier1"), () => true);
  fleet = new Fleet(store.current(), 0, { onLostHistory: () => {}, onNack: () => {} });
  const bearer = new Bearer(token);
  const api = new HttpApi({
    store,
    fleet,
    bearer,
    host: "127.0.0.1",
    maxBodyBytes: 10_000,
    now: () => clock.now(),
    onError: (error) => expect(error).toBeUndefined(),
    ...(load && { load }),
  });
  server = new ControlPlaneServer({
    handle: api.handle,
    fleet,
    bearer,
    host: "127.0.0.1",
    clock,
    onDeadLink: () => {},
    onError: (error) => expect(error).toBeUndefined(),
    limits: own,
  });
  port = await server.listen(0);
}

/** A client that sends what it is told, reads or does not, and never closes by itself. */
class Client {
  readonly socket: Socket;
  got = "";
  isEnded = false;
  isGone = false;

  constructor(lines: readonly string[], { reads = true } = {}) {
    this.socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    if (reads) this.socket.on("data", (bytes) => (this.got += bytes.toString("latin1")));
    else this.socket.pause();
    this.socket.on("error", () => {});
    this.socket.on("end", () => (this.isEnded = true));
    this.socket.on("close", () => (this.isGone = true));
    if (lines.length > 0) this.socket.write([...lines, "Host: 127.0.0.1", "", ""].join("\r\n"));
    clients.push(this);
  }

  get status(): number {
    return Number(/^HTTP\/1.1 (\d+)/.exec(this.got)?.[1] ?? 0);
  }

  async answered(): Promise<this> {
    await eventually(() => this.status > 0, { what: "a response" });
    return this;
  }

  isClosed(): boolean {
    // Not before: to the parser of an open connection this would be a bad request, and a reason to close it.
    if (this.isEnded) this.socket.write("x", () => {});
    return this.isGone;
  }

  /** The server has closed the connection, and not only its own half: what is written finds nobody. */
  async closed(): Promise<void> {
    await eventually(() => this.isClosed(), { what: "the server closes the connection" });
  }
}

async function openLink(): Promise<WebSocket> {
  const link = new WebSocket(`ws://127.0.0.1:${port}/v1/connect`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  link.on("error", () => {});
  links.push(link);
  await Promise.race([once(link, "open"), once(link, "unexpected-response")]);
  return link;
}

beforeEach(async () => {
  world = await StoreWorld.make();
  clock = new FakeClock();
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  for (const link of links.splice(0)) link.terminate();
  const closed = server.close();
  await clock.advance(1_000);
  await closed;
  await world[Symbol.asyncDispose]();
});

describe("a refused upgrade is answered and closed, whatever the client does", () => {
  test.each<[string, readonly string[], number]>([
    ["without a token", ["GET /v1/connect HTTP/1.1", ...handshake], 401],
    ["with a wrong token", ["GET /v1/connect HTTP/1.1", "Authorization: Bearer x", ...handshake], 401],
    ["from a browser", ["GET /v1/connect HTTP/1.1", authorization, "Origin: null", ...handshake], 403],
    ["that is no handshake", ["GET /v1/connect HTTP/1.1", authorization, ...upgrade], 400],
    [
      "of another version",
      ["GET /v1/connect HTTP/1.1", authorization, ...handshake, "Sec-WebSocket-Version: 7"],
      400,
    ],
    [
      "to another protocol",
      ["GET /v1/connect HTTP/1.1", authorization, "Connection: Upgrade", "Upgrade: h2c"],
      426,
    ],
  ])("%s", async (_, lines, status) => {
    await start();
    const client = await new Client(lines).answered();
    expect(client.status).toBe(status);
    expect(client.got).toMatch(/application\/problem\+json/);
    await eventually(() => client.isEnded, { what: "the server ends its half" });
    await clock.advance(1_000);
    await client.closed();
  });

  test("those who wait for their response to be read are bounded in number", async () => {
    await start();
    const refused = Array.from(
      { length: 100 },
      () => new Client(["GET /v1/connect HTTP/1.1", authorization, ...upgrade]),
    );
    for (const client of refused.slice(0, 64)) await client.answered();
    await eventually(() => refused.filter(({ isEnded, isGone }) => isEnded || isGone).length === 100, {
      what: "all are refused",
    });
    await eventually(() => refused.filter((client) => client.isClosed()).length === 36, {
      what: "the rest is cut at once",
    });
    await clock.advance(1_000);
    for (const client of refused) await client.closed();
  });
});

test.each([
  ["/healthz", 200],
  ["/v1/routing", 200],
  ["/elsewhere", 404],
])("an upgrade of %s that is nobody's here is ignored", async (path, status) => {
  await start();
  for (const protocol of ["h2c", "websocket"]) {
    const lines = [`GET ${path} HTTP/1.1`, "Connection: Upgrade, HTTP2-Settings", `Upgrade: ${protocol}`];
    const client = await new Client([...lines, "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]).answered();
    expect(client.status).toBe(status);
    if (status >= 400) {
      await client.closed();
      continue;
    }
    // The connection serves on.
    client.got = "";
    client.socket.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    expect((await client.answered()).status).toBe(200);
  }
});

test("a request for the links' path that asks for no upgrade is told which", async () => {
  await start();
  const client = await new Client(["GET /v1/connect HTTP/1.1", authorization]).answered();
  expect(client.status).toBe(426);
  expect(client.got).toMatch(/^Upgrade: websocket\r$/m);
});

describe("a stop", () => {
  test("ends within a second, whoever does not let go", async () => {
    await start(undefined, undefined, 40);
    const silent = new Client([]);
    const half = new Client([
      "PUT /v1/routing HTTP/1.1",
      authorization,
      "If-Match: *",
      "Content-Length: 100",
    ]);
    const head = connect({ host: "127.0.0.1", port });
    clients.push({ socket: head } as Client);
    head.write("GET /v1/rout");
    const unread = Array.from(
      { length: 20 },
      () => new Client(["GET /v1/routing HTTP/1.1"], { reads: false }),
    );
    const refused = await new Client(["GET /v1/connect HTTP/1.1", authorization, ...upgrade]).answered();
    // Opens a link, and then neither reads nor answers.
    const deaf = await new Client(["GET /v1/connect HTTP/1.1", authorization, ...handshake]).answered();
    const link = await openLink();
    expect(deaf.status).toBe(101);
    let isClosed = false;
    const closed = server.close().then(() => (isClosed = true));
    const [code] = await once(link, "close");
    expect(code).toBe(1001);
    await clock.advance(999);
    expect(isClosed).toBe(false);
    await clock.advance(1);
    await closed;
    for (const { socket } of unread) socket.resume();
    for (const client of [silent, half, refused, deaf, ...unread]) await client.closed();
  });

  test("lets a client read on in that second, and ends with the last byte", async () => {
    await start();
    const { history, table, document, frame } = store.current();
    // More than the system takes for a client that does not read.
    const json = Buffer.alloc(24 * 1024 * 1024, "x");
    store.current = () => ({ history, table, document, frame, json });
    const client = new Client(["GET /v1/routing HTTP/1.1"]);
    await client.answered();
    client.socket.pause();
    const closed = server.close();
    client.socket.resume();
    await closed;
    await eventually(() => client.isEnded, { what: "the end of the response" });
    expect(client.got.length).toBeGreaterThan(json.length);
  });
});

test("a response that is not read is cut off, and a write that waits for its turn is not", async () => {
  await start({ ...limits, unreadTimeoutMs: 50 }, { maxReads: 1, maxWrites: 1, maxBytes: 1_000 });
  const { history, table, document, frame } = store.current();
  let taken = 0;
  store.current = () => ({
    ...{ history, table, document, frame },
    get json() {
      taken += 1;
      return Buffer.alloc(24 * 1024 * 1024, "x");
    },
  });
  const turn = Promise.withResolvers<void>();
  const write = store.write.bind(store);
  store.write = async (...args) => {
    await turn.promise;
    return await write(...args);
  };
  const waiting = new Client(["DELETE /v1/routing/keys/acme HTTP/1.1", authorization, "If-Match: *"]);
  // One at a time: there is room for the next when the last one has been given up, by Node's own clock.
  const read = async () => (await new Client(["GET /v1/routing/keys/acme HTTP/1.1"]).answered()).status;
  for (let round = 0; round < 3; round++) {
    new Client(["GET /v1/routing HTTP/1.1"], { reads: false });
    await eventually(() => taken === round + 1, { what: "it is under way" });
    await eventually(async () => (await read()) === 200, { what: "it is given up", everyMs: 20 });
  }
  expect(waiting.isEnded || waiting.isGone).toBe(false);
  turn.resolve();
  expect((await waiting.answered()).status).toBe(200);
});

describe("what can be held is bounded", () => {
  test("connections: one more is told why, and links do not count", async () => {
    await start({ ...limits, maxConnections: 3, maxLinks: 2 });
    const [first, second] = [await openLink(), await openLink()];
    expect([first.readyState, second.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
    const idle = Array.from({ length: 3 }, () => new Client([]));
    await eventually(() => idle.every(({ socket }) => socket.readyState === "open"), {
      what: "they are open",
    });
    const more = await new Client(["GET /healthz HTTP/1.1"]).answered();
    expect(more.status).toBe(503);
    expect(more.got).toMatch(/too-many-connections/);
    await clock.advance(1_000);
    await more.closed();
    idle[0]?.socket.destroy();
    const served = async () => (await new Client(["GET /healthz HTTP/1.1"]).answered()).status === 200;
    await eventually(served, { what: "there is room again" });
  });

  test("links: one more is told why", async () => {
    await start({ ...limits, maxLinks: 2 });
    await openLink();
    await openLink();
    const more = await new Client(["GET /v1/connect HTTP/1.1", authorization, ...handshake]).answered();
    expect(more.status).toBe(503);
    expect(more.got).toMatch(/too-many-links/);
    await clock.advance(1_000);
    await more.closed();
  });

  test("reads: those that are not read are cut off, and meanwhile others are told, and can write", async () => {
    // More than the system takes for a reader that does not read.
    const large = { maxReads: 4, maxWrites: 2, maxBytes: 10_000_000 };
    await start(undefined, large);
    const json = Buffer.alloc(24 * 1024 * 1024, "x");
    const current = store.current.bind(store);
    store.current = () => ({ ...current(), json });
    const unread = Array.from(
      { length: 4 },
      () => new Client(["GET /v1/routing HTTP/1.1"], { reads: false }),
    );
    const refused = async () => (await new Client(["GET /v1/routing HTTP/1.1"]).answered()).status === 503;
    await eventually(refused, { what: "as many as may be are under way" });
    expect((await new Client(["GET /v1/routers HTTP/1.1"]).answered()).got).toMatch(/too-busy/);
    expect((await new Client(["GET /healthz HTTP/1.1"]).answered()).status).toBe(200);
    const lines = ["DELETE /v1/routing/keys/acme HTTP/1.1", authorization, "If-Match: *"];
    expect((await new Client(lines).answered()).status).toBe(200);
    await clock.advance(90_000);
    for (const client of unread) client.socket.resume();
    for (const client of unread) await client.closed();
    const served = async () => (await new Client(["GET /v1/routers HTTP/1.1"]).answered()).status === 200;
    await eventually(served, { what: "there is room again" });
  });

  test("bodies of their own: together they have a size, and one alone may be larger", async () => {
    await start(undefined, { maxReads: 10, maxWrites: 10, maxBytes: 1_000 });
    fleet.view = () => [{ id: "x".repeat(24 * 1024 * 1024) }] as never;
    const unread = new Client(["GET /v1/routers HTTP/1.1"], { reads: false });
    const refused = async () => (await new Client(["GET /v1/routers HTTP/1.1"]).answered()).status === 503;
    await eventually(refused, { what: "one is under way" });
    unread.socket.destroy();
    fleet.view = () => [];
    const served = async () => (await new Client(["GET /v1/routers HTTP/1.1"]).answered()).status === 200;
    await eventually(served, { what: "there is room again" });
  });

  test("the document is in memory once, for links and readers alike", async () => {
    await start();
    const { json, frame, document } = store.current();
    expect(json.buffer).toBe(frame.buffer);
    expect(JSON.parse(Buffer.from(json).toString())).toEqual(document);
  });

  test("a router that pings and does not read is cut off", async () => {
    await start();
    const link = await openLink();
    link.pause();
    const closed = once(link, "close");
    // Far more than what lies between two sockets.
    for (let round = 0; round < 2_000 && link.readyState === WebSocket.OPEN; round++) {
      for (let ping = 0; ping < 1_000; ping++) link.ping("x".repeat(100));
      await new Promise((resolve) => setImmediate(resolve));
    }
    link.resume();
    await closed;
  });
});
