import { describe, expect, test } from "vitest";
import { startCluster } from "../../../shared/testkit/cluster.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { AdminServer, sendJson } from "../src/admin.ts";

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
      const answer = await fetch(`${url}/throws`, { headers: { connection: "close" } });
      expect([answer.status, await answer.json()]).toEqual([500, { error: "Error: planted" }]);
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

describe("a router that stops", () => {
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
