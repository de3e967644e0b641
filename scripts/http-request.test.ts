// What a client of the tools gets from a server that answers with what it was not asked for.

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { ask } from "./http-request.ts";
import { runClient } from "./load/clients.ts";

async function switchingServer() {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
    );
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, [Symbol.asyncDispose]: async () => void server.close() };
}

test("a request that is met by an unasked 101 fails, instead of waiting for ever", async () => {
  await using server = await switchingServer();
  await expect(ask({ url: server.url })).rejects.toThrow("closed without a response");
});

test("so does a steady client's, and the client goes on", async () => {
  await using server = await switchingServer();
  const over = new AbortController();
  const ended: string[] = [];
  await runClient(
    {
      router: server.url,
      seed: 1,
      number: 0,
      keys: ["visa"],
      idOf: String,
      look: () => () => ({ tables: [], isDisturbed: () => true }),
      onEnd: (_, what) => {
        ended.push(what);
        if (ended.length === 2) over.abort();
      },
    },
    over.signal,
  );
  expect(ended).toEqual([expect.stringContaining("no-response"), expect.stringContaining("no-response")]);
});
