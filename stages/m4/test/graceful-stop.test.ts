// SIGTERM: the router stops accepting, finishes what is under way, and exits with 0. It needs the process itself, so it
// is no part of the black-box contract. The same text in every stage: the folder's name says which one it is.

import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { startCell } from "../../../shared/cells/cell.ts";
import { startCluster } from "../../../shared/testkit/cluster.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { accepts, RawClient } from "../../../shared/testkit/raw-client.ts";
import { type Stage, spawnRouter, startRouter } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;
const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n`;
const gone = { code: 0, signal: null };
/** A stop that waited for something would take 10 s, on any machine. */
const beforeTheCutMs = 9_000;

const refusing = (url: string) =>
  eventually(async () => !(await accepts(url)), { what: "the router refuses new connections" });

describe("SIGTERM", () => {
  test("lets a request under way finish, refuses new connections, then exits with 0", async () => {
    await using cluster = await startCluster({ stage });
    await using client = await RawClient.connect(cluster.url);
    await client.write(request("/drip?chunks=20&intervalMs=50"));
    const head = await client.readHead();
    cluster.router.signal("SIGTERM");
    await refusing(cluster.url);
    const response = await client.readBody(head);
    expect(response.ending).toBe("complete");
    expect(response.text()).toContain("chunk 20");
    // Long before the time for requests under way is over: this was the last one.
    expect(await cluster.router.exited(8_000)).toEqual(gone);
    expect(await client.untilClosed()).toBe("closed");
  });

  test("lets an upload under way finish", async () => {
    await using cluster = await startCluster({ stage });
    await using client = await RawClient.connect(cluster.url);
    await client.write(
      "POST /x HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\nContent-Length: 10\r\n\r\nfirst",
    );
    await eventually(() => cluster.cell("tier1").stats().inFlight === 1, {
      what: "the upload reaches the cell",
    });
    cluster.router.signal("SIGTERM");
    await client.write("later");
    const response = await client.readResponse({ method: "POST" });
    expect([response.status, response.json()["bodyBytes"]]).toEqual([200, 10]);
    expect(await cluster.router.exited()).toEqual(gone);
  });

  test("closes idle connections at once: they do not hold the exit up", async () => {
    await using cluster = await startCluster({ stage });
    await using idle = await RawClient.connect(cluster.url);
    await idle.request(request("/x"));
    await using silent = await RawClient.connect(cluster.url);
    cluster.router.signal("SIGTERM");
    expect(await cluster.router.exited(beforeTheCutMs)).toEqual(gone);
    expect(await idle.untilClosed()).toBe("closed");
    await silent.untilClosed();
  });

  test("does not wait for the rest of a body whose response is out", async () => {
    await using cluster = await startCluster({ stage });
    await using refused = await RawClient.connect(cluster.url);
    await refused.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nthe rest never comes");
    expect((await refused.readResponse({ method: "POST" })).status).toBe(400);
    cluster.router.signal("SIGTERM");
    expect(await cluster.router.exited(beforeTheCutMs)).toEqual(gone);
  });

  test("tells a client on a kept connection that its response is the last one", async () => {
    await using cluster = await startCluster({ stage });
    await using client = await RawClient.connect(cluster.url);
    const fields = "Host: a\r\nX-Routing-Key: acme\r\nContent-Length: 10\r\n";
    await client.write(`POST /x HTTP/1.1\r\n${fields}\r\nfirst`);
    await eventually(() => cluster.cell("tier1").stats().inFlight === 1, {
      what: "the request is under way",
    });
    cluster.router.signal("SIGTERM");
    await refusing(cluster.url);
    await client.write("later");
    const response = await client.readResponse({ method: "POST" });
    expect(response.status).toBe(200);
    expect(response.headers.one("connection")?.toLowerCase()).toBe("close");
    expect(await client.untilClosed()).toBe("closed");
    expect(await cluster.router.exited()).toEqual(gone);
  });

  test("cuts what has not finished in 10 seconds, and still exits with 0", async () => {
    await using cluster = await startCluster({ stage });
    await using client = await RawClient.connect(cluster.url);
    await client.write(request("/drip?chunks=10000&intervalMs=20"));
    const head = await client.readHead();
    const startedAt = performance.now();
    cluster.router.signal("SIGTERM");
    const response = await client.readBody(head, { onBody: () => {} });
    expect(response.ending).toBe("truncated");
    expect(await cluster.router.exited()).toEqual(gone);
    expect(performance.now() - startedAt).toBeGreaterThan(9000);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  test("writes the log line of the last request before it exits", async () => {
    await using cluster = await startCluster({ stage });
    await using client = await RawClient.connect(cluster.url);
    await client.write(request("/drip?chunks=3&intervalMs=50&last"));
    await client.readHead();
    cluster.router.signal("SIGTERM");
    expect(await cluster.router.exited()).toEqual(gone);
    const paths = cluster.router.logs().map((line) => line["path"]);
    expect(paths).toContain("/drip?chunks=3&intervalMs=50&last");
  });

  test("lets a request under way finish when the signal comes twice", async () => {
    await using cluster = await startCluster({ stage });
    await using client = await RawClient.connect(cluster.url);
    await client.write(request("/drip?chunks=10&intervalMs=50"));
    const head = await client.readHead();
    cluster.router.signal("SIGINT");
    await eventually(() => cluster.router.logs().some((line) => line["event"] === "stopping"), {
      what: "the router begins to stop",
    });
    cluster.router.signal("SIGINT");
    cluster.router.signal("SIGTERM");
    expect((await client.readBody(head)).ending).toBe("complete");
    expect(await cluster.router.exited()).toEqual(gone);
  });

  test("is obeyed as SIGINT is", async () => {
    await using router = await startRouter({ stage });
    expect(await router.stop("SIGINT")).toEqual(gone);
  });
});

test("listens on 127.0.0.1 alone unless told otherwise", async () => {
  await using router = await startRouter({ stage, env: { HOST: undefined } });
  expect(router.url).toBe(`http://127.0.0.1:${router.port}`);
  // Another address of this machine's loopback: a router that listened on every address would accept here, too.
  await expect(RawClient.connect(`http://127.0.0.2:${router.port}`)).rejects.toThrow(
    /ECONNREFUSED|EADDRNOTAVAIL/,
  );
});

describe("a start that cannot work", () => {
  test("exits with 1 and a sentence that names the port when it is taken", async () => {
    await using holder = await startCell({ name: "holder" });
    await using router = await spawnRouter({ stage, env: { PORT: String(holder.port) } });
    expect((await router.exited()).code).toBe(1);
    expect(router.stderr()).toContain(String(holder.port));
    expect(router.stderr()).not.toContain("    at ");
  });

  test("exits with 1 and the name of the setting that is wrong", async () => {
    await using router = await spawnRouter({ stage, env: { PORT: "http" } });
    expect((await router.exited()).code).toBe(1);
    expect(router.stderr()).toMatch(/PORT.*"http"/);
    expect(router.stderr()).not.toContain("    at ");
  });
});
