// What the listener itself does at a stop: with a handler of the test's own, and no cell.

import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { systemClock as clock } from "../src/clock.ts";
import { DataServer, type DataServerDependencies } from "../src/server.ts";

failOnLeaks();

/** More than the system takes for a client that does not read. */
const bodyBytes = 32 * 1024 * 1024;

function serverFor(handle: DataServerDependencies["handle"]): DataServer {
  return new DataServer({
    handle,
    accessLog: { record: () => {} } as unknown as DataServerDependencies["accessLog"],
    clock,
    wallClock: () => new Date(0),
    newRequestId: () => "id",
    keepAliveTimeoutMs: 0,
  });
}

test("a stop lets a slow client read the rest of a response that has been written whole", async () => {
  const written = Promise.withResolvers<void>();
  const server = serverFor((_, res) => {
    res.writeHead(200, { "Content-Length": bodyBytes });
    res.end(Buffer.alloc(bodyBytes));
    written.resolve();
  });
  const client = connect(await server.listen(0, "127.0.0.1"), "127.0.0.1");
  client.pause();
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await written.promise;
  const drained = server.drain(10_000);

  let receivedBytes = 0;
  client.on("data", (bytes: Buffer) => {
    receivedBytes += bytes.length;
  });
  client.resume();
  await once(client, "close");
  expect(receivedBytes).toBeGreaterThan(bodyBytes);
  await drained;
});

test("a client that is still uploading gets to read its last response", async () => {
  const server = serverFor((_, res) => {
    res.writeHead(400, { Connection: "close", "Content-Length": 2 });
    res.end("no");
  });
  const port = await server.listen(0, "127.0.0.1");
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bodyBytes}\r\n\r\nthe first bytes`);
  client.resume();
  await once(client, "end");
  // A connection that had been closed whole would be reset by the first of these.
  for (let n = 0; n < 4; n++) await new Promise((sent) => client.write(Buffer.alloc(65_536), sent));
  client.end();
  await once(client, "close");
  expect(client.errored).toBeNull();
  await server.drain(10_000);
});

test("a method that Node's parser does not know is told so behind many good requests, too", async () => {
  const server = serverFor((_, res) => void res.end());
  const client = connect(await server.listen(0, "127.0.0.1"), "127.0.0.1");
  const good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  client.write(`${good.repeat(40)}BREW / HTTP/1.1\r\nHost: a\r\n\r\n`);
  let received = "";
  client.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
  });
  await once(client, "close");
  const statuses = [...Array(40).fill("HTTP/1.1 200"), "HTTP/1.1 501"];
  expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(statuses);
  await server.drain(0);
});
