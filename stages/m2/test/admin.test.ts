import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { startCluster } from "../../../shared/testkit/cluster.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { type AdminLimits, AdminServer, sendJson } from "../src/admin.ts";

describe("AdminServer", () => {
  failOnLeaks();

  test("answers what was registered, and names it where it knows nothing", async () => {
    const admin = new AdminServer();
    admin.get("/a", (_, res) => sendJson(res, 200, { a: 1 }));
    const url = `http://127.0.0.1:${await admin.listen(0)}`;
    try {
      const found = await fetch(`${url}/a?b`, { headers: { connection: "close" } });
      expect(await found.json()).toEqual({ a: 1 });
      expect(found.headers.get("cache-control")).toBe("no-store");
      const unknown = await fetch(`${url}/b`, { headers: { connection: "close" } });
      expect(unknown.status).toBe(404);
      expect(await unknown.json()).toMatchObject({ paths: ["/a"] });
    } finally {
      await admin.close();
    }
  });

  test("closes although a client holds a connection open", async () => {
    const admin = new AdminServer();
    admin.get("/forever", (_, res) => void res.write("data"));
    await using client = await RawClient.connect(await admin.listen(0));
    await client.write("GET /forever HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    await client.readHead();
    await admin.close();
    await client.untilClosed();
  });

  test("answers 500 for a route that throws, or cuts what it had begun, and serves on", async () => {
    const admin = new AdminServer();
    admin.get("/throws", () => {
      throw new Error("planted");
    });
    admin.get("/throws-later", (_, res) => {
      res.write("data");
      throw new Error("planted");
    });
    const url = `http://127.0.0.1:${await admin.listen(0)}`;
    try {
      const response = await fetch(`${url}/throws`, { headers: { connection: "close" } });
      expect([response.status, await response.json()]).toEqual([500, { error: "Error: planted" }]);
      await expect(fetch(`${url}/throws-later`).then((cut) => cut.text())).rejects.toThrow();
      expect((await fetch(`${url}/throws`, { headers: { connection: "close" } })).status).toBe(500);
    } finally {
      await admin.close();
    }
  });

  test("rejects when its port is taken", async () => {
    const first = new AdminServer();
    const port = await first.listen(0);
    await expect(new AdminServer().listen(port)).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.close();
  });
});

/** A listener with a page of 32 MB, which no system takes at once, and clients that do not behave. */
async function opened(limits: Partial<AdminLimits>) {
  const admin = new AdminServer(limits);
  const page = Buffer.alloc(32 * 1024 * 1024);
  const streams: ServerResponse[] = [];
  const large = { asked: 0, closed: 0 };
  admin.get("/small", (_, res) => sendJson(res, 200, { ok: true }));
  admin.get("/large", (_, res) => {
    large.asked += 1;
    res.once("close", () => {
      large.closed += 1;
    });
    res.end(page);
  });
  admin.get("/stream", (_, res) => {
    streams.push(res);
    res.write("begun");
  });
  const port = await admin.listen(0);
  const clients: RawClient[] = [];
  const connect = async (bytes = ""): Promise<RawClient> => {
    const client = await RawClient.connect(port);
    clients.push(client);
    if (bytes !== "") await client.write(bytes);
    return client;
  };
  const status = async (path: string) => {
    const client = await connect(request(path));
    return (await client.readResponse()).status;
  };
  const close = async () => {
    await admin.close();
    await Promise.all(clients.map((client) => client.close()));
  };
  return { connect, status, clients, streams, large, [Symbol.asyncDispose]: close };
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

describe("an admin port whose clients do not behave", () => {
  failOnLeaks();

  test("answers the newest, and lets go of the oldest, when more connect than it holds", async () => {
    await using port = await opened({ maxConnections: 10 });
    for (let client = 0; client < 50; client++) await port.connect();
    expect(await port.status("/small")).toBe(200);
    await Promise.all(port.clients.slice(0, 41).map((client) => client.untilClosed()));
    // Those that came last are still there.
    await port.clients[49]?.write(request("/small"));
    expect((await port.clients[49]?.readResponse())?.status).toBe(200);
  });

  test("lets go of a connection that asks nothing before one that is being answered", async () => {
    await using port = await opened({ maxConnections: 3 });
    const watcher = await port.connect(request("/stream"));
    const head = await watcher.readHead();
    const idle = await port.connect();
    for (let client = 0; client < 5; client++) expect(await port.status("/small")).toBe(200);
    await idle.untilClosed();
    port.streams[0]?.end("ended");
    expect((await watcher.readBody(head)).text()).toBe("begunended");
  });

  test("answers even while all of its connections are being answered", async () => {
    await using port = await opened({ maxConnections: 3 });
    for (let client = 0; client < 6; client++) await (await port.connect(request("/stream"))).readHead();
    expect(await port.status("/small")).toBe(200);
  });

  test("holds a bounded number of bytes for clients that do not read", async () => {
    await using port = await opened({ maxUnreadBytes: 100 * 1024 * 1024 });
    for (let client = 1; client <= 12; client++) {
      await port.connect(request("/large"));
      await eventually(() => port.large.asked === client, { what: "the page is asked for" });
    }
    expect(await port.status("/small")).toBe(200);
    // Of twelve pages with 32 MB it keeps three, and a bit for what the system has taken.
    await eventually(() => port.large.closed >= 7, { what: "those that asked first are cut off" });
    expect(port.large.closed).toBeLessThan(12);
  });

  test.each([
    ["that asks nothing", ""],
    ["that stops in the middle of its head", "GET /small HTTP/1.1\r\nHost:"],
    ["that stops in the middle of a body", `${request("/small").trimEnd()}\r\nContent-Length: 9\r\n\r\nhalf`],
  ])("cuts a client off %s", async (_, bytes) => {
    await using port = await opened({ requestMs: 100, idleMs: 300 });
    await (await port.connect(bytes)).untilClosed();
  });

  test("cuts a client off that does not read its response", async () => {
    await using port = await opened({ idleMs: 100 });
    await port.connect(request("/large"));
    await eventually(() => port.large.closed === 1, { what: "it is cut off" });
  });

  test("cuts a client off that sends requests ahead of its responses", async () => {
    await using port = await opened({});
    const client = await port.connect(request("/large").repeat(100));
    await eventually(() => port.large.asked > 0, { what: "the page is asked for" });
    expect(port.large.asked).toBe(1);
    await client.untilClosed();
  });

  test("outlives clients that reset their connections, and bytes that are no HTTP", async () => {
    await using port = await opened({});
    for (const bytes of [
      "",
      "GET /lar",
      request("/large"),
      "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
      "\x16\x03\x01\x02",
    ]) {
      const client = await port.connect(bytes);
      client.reset();
    }
    const upgrade = await port.connect(
      `${request("/small").trimEnd()}\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n`,
    );
    expect((await upgrade.readResponse()).status).toBe(200);
    expect(await port.status("/small")).toBe(200);
  });
});

describe("a router that stops", () => {
  test("ends in time whatever clients of the admin port do", async () => {
    await using cluster = await startCluster({ stage: "m2" });
    const admin = String(cluster.router.ready["adminUrl"]);
    const clients: RawClient[] = [];
    for (const bytes of ["", "GET /deb", "GET /debug/config HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]) {
      for (let client = 0; client < 20; client++) {
        const each = await RawClient.connect(admin);
        clients.push(each);
        if (bytes !== "") await each.write(bytes);
      }
    }
    cluster.router.signal("SIGTERM");
    // Nothing is under way at the data port, so nothing has to be waited for.
    expect(await cluster.router.exited(8_000)).toEqual({ code: 0, signal: null });
    await Promise.all(clients.map((client) => client.untilClosed()));
  });

  test("is not ready from the signal on, but alive until its last request has ended", async () => {
    await using cluster = await startCluster({ stage: "m2" });
    const admin = String(cluster.router.ready["adminUrl"]);
    const statusOf = async (path: string) => (await fetch(`${admin}${path}`)).status;
    expect(await statusOf("/readyz")).toBe(200);

    await using client = await RawClient.connect(cluster.url);
    await client.write("POST / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\nContent-Length: 4\r\n\r\nha");
    await eventually(() => cluster.cell("tier1").stats().inFlight === 1, {
      what: "the request is under way",
    });
    cluster.router.signal("SIGTERM");
    await eventually(async () => (await statusOf("/readyz")) === 503, { what: "it is not ready any more" });
    expect(await statusOf("/healthz")).toBe(200);

    await client.write("lf");
    expect((await client.readResponse()).status).toBe(200);
    expect(await cluster.router.exited()).toEqual({ code: 0, signal: null });
  });
});
