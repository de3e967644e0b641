import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { failOnLeaks } from "../../testkit/leak-check.ts";
import { RawClient, sendRaw } from "../../testkit/raw-client.ts";
import { startCell } from "../cell.ts";
import type { CellEcho } from "../responses.ts";

failOnLeaks();

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: cell\r\nConnection: close\r\n\r\n`;
const post = (path: string, body: string, more = "") =>
  `POST ${path} HTTP/1.1\r\nHost: cell\r\nContent-Length: ${body.length}\r\n${more}Connection: close\r\n\r\n${body}`;

describe("a healthy cell", () => {
  test("says its name, the method, the path, every header and the digest of the body", async () => {
    await using cell = await startCell({ name: "tier1" });
    const response = await sendRaw(
      cell.port,
      post("/a/b?c=d", "hello", "X-Two: 1\r\nx-two: 2\r\n__proto__: p\r\n"),
    );
    const echo = response.json() as unknown as CellEcho;
    expect(response.status).toBe(200);
    expect(response.headers.one("x-cell")).toBe("tier1");
    expect(echo).toMatchObject({ cell: "tier1", method: "POST", path: "/a/b?c=d", bodyBytes: 5 });
    expect(echo.bodySha256).toBe(createHash("sha256").update("hello").digest("hex"));
    expect(echo.rawHeaders).toContainEqual(["X-Two", "1"]);
    expect(echo.rawHeaders).toContainEqual(["x-two", "2"]);
    expect(response.text()).toContain('"__proto__": "p"');
    expect(echo.headers["x-two"]).toBe("1, 2");
  });

  test.each(["//", "//[/x", "///x?y", "http://other/path"])("serves the target %s", async (target) => {
    await using cell = await startCell({ name: "tier1" });
    const response = await sendRaw(cell.port, get(target));
    expect([response.status, response.json()["path"]]).toEqual([200, target]);
  });

  test("sends as many bytes as asked, with a length or chunked", async () => {
    await using cell = await startCell({ name: "tier1" });
    const plain = await sendRaw(cell.port, get("/bytes/100000"));
    expect([plain.bodyBytes, plain.framing, plain.ending]).toEqual([100_000, "length", "complete"]);
    const chunked = await sendRaw(cell.port, get("/bytes/100000?chunked"));
    expect([chunked.bodyBytes, chunked.framing, chunked.ending]).toEqual([100_000, "chunked", "complete"]);
  });

  test("sends the request body back while it still arrives", async () => {
    await using cell = await startCell({ name: "tier1" });
    await using client = await RawClient.connect(cell.port);
    await client.write("POST /echo HTTP/1.1\r\nHost: cell\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    const head = await client.readHead();
    expect((await client.reader.through("abc")).toString()).toContain("abc");
    expect(head.status).toBe(200);
  });

  test("drips chunks, answers any status, repeats Set-Cookie and sends trailers", async () => {
    await using cell = await startCell({ name: "tier1" });
    expect((await sendRaw(cell.port, get("/drip?chunks=3&intervalMs=1"))).text()).toMatch(/chunk 3/);
    expect((await sendRaw(cell.port, get("/status/204"))).status).toBe(204);
    expect((await sendRaw(cell.port, get("/cookies"))).headers.all("set-cookie")).toHaveLength(2);
    expect((await sendRaw(cell.port, get("/trailers"))).trailers.one("x-body-check")).toBe("passed");
  });

  test("counts requests by method, and the clients that left", async () => {
    await using cell = await startCell({ name: "tier1" });
    await sendRaw(cell.port, get("/"));
    await sendRaw(cell.port, post("/", "x"));
    await using client = await RawClient.connect(cell.port);
    await client.write(get("/drip?chunks=1000&intervalMs=50"));
    await client.readHead();
    expect(cell.stats().inFlight).toBe(1);
    client.reset();
    await eventually(() => cell.stats().aborted === 1, { what: "the cell notices that its client left" });
    expect(cell.stats()).toMatchObject({ requests: 3, inFlight: 0, byMethod: { GET: 2, POST: 1 } });
  });
});

describe("faults", () => {
  const control = (body: unknown, more = "") => post("/__control/fault", JSON.stringify(body), more);

  test("are switched through the control path and seen by /health", async () => {
    await using cell = await startCell({ name: "tier1" });
    expect((await sendRaw(cell.port, get("/health"))).status).toBe(200);
    expect((await sendRaw(cell.port, control({ fault: "error", status: 500 }))).status).toBe(200);
    expect((await sendRaw(cell.port, get("/health"))).status).toBe(500);
    expect((await sendRaw(cell.port, get("/x"))).status).toBe(500);
    expect((await sendRaw(cell.port, control({ fault: "none" }))).status).toBe(200);
    expect((await sendRaw(cell.port, get("/x"))).status).toBe(200);
  });

  test("refuse a bad parameter by name, and a request that came through a proxy", async () => {
    await using cell = await startCell({ name: "tier1" });
    const bad = await sendRaw(cell.port, control({ fault: "slow", delayMs: -1 }));
    expect(bad.status).toBe(400);
    expect(bad.text()).toContain("delayMs");
    expect((await sendRaw(cell.port, control({ fault: "hang" }, "Via: 1.1 router\r\n"))).status).toBe(403);
    expect(
      (await sendRaw(cell.port, control({ fault: "hang" }, "X-Forwarded-For: 1.2.3.4\r\n"))).status,
    ).toBe(403);
    expect(cell.currentFault()).toEqual({ fault: "none" });
  });

  test("reset cuts the connection before any byte of a response", async () => {
    await using cell = await startCell({ name: "tier1" });
    cell.setFault({ fault: "reset" });
    await using client = await RawClient.connect(cell.port);
    await client.write(get("/"));
    expect(await client.untilClosed()).toBe("reset");
  });

  test("drop-mid-body promises more than it sends", async () => {
    await using cell = await startCell({ name: "tier1" });
    cell.setFault({ fault: "drop-mid-body", afterBytes: 10 });
    const response = await sendRaw(cell.port, get("/"));
    expect([response.status, response.ending]).toEqual([200, "truncated"]);
    expect(response.bodyBytes).toBeLessThanOrEqual(10);
    expect((await sendRaw(cell.port, get("/health"))).status).toBe(200);
  });

  test("hang takes the request and says nothing until the client leaves", async () => {
    await using cell = await startCell({ name: "tier1" });
    cell.setFault({ fault: "hang" });
    await using client = await RawClient.connect(cell.port);
    await client.write(get("/"));
    await eventually(() => cell.stats().inFlight === 1, { what: "the request has arrived" });
    await client.close();
    await eventually(() => cell.stats().inFlight === 0, { what: "the cell forgets the request" });
  });
});
