// A cell that sends its body byte by byte must not cost a write for each byte: each write that waits for a slow client costs
// a hundred times as much.

import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { Client } from "undici";
import { expect, test } from "vitest";
import { respondToAll, startHostileUpstream } from "../../../shared/testkit/hostile-upstream.ts";
import { attempt } from "../src/attempt.ts";

const count = 2_000;

test("chunks of a byte that come together are written together, and none is lost", async () => {
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
  const response = `${head}${"1\r\nx\r\n".repeat(count)}0\r\nX-Sum: all\r\n\r\n`;
  await using cell = await startHostileUpstream(respondToAll(response));
  const upstream = new Client(cell.url);
  const routing = { requestId: "id", routedTo: "tier1", routeReason: "tier" };
  const request = { method: "GET", path: "/", headers: ["host", "a"], hasBody: false, routing };
  let writes = 0;
  const server = createServer((req, res) => {
    const write = res.write.bind(res) as (bytes: unknown) => boolean;
    res.write = (bytes: unknown) => {
      writes++;
      return write(bytes);
    };
    void attempt(upstream, request, req, res, { bytesIn: 0, bytesOut: 0 });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as { port: number }).port, "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const received = await text(client);
  expect(received.match(/x(?=x|\r\n)/g)).toHaveLength(count);
  expect(received).toMatch(/x\r\n0\r\nX-Sum: all\r\n\r\n$/i);
  expect(writes).toBeLessThan(20);
  server.close();
  await upstream.close();
});
