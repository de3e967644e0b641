import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { healthProbe } from "../src/health-probe.ts";

failOnLeaks();

async function startCell(handler: RequestListener) {
  const server = createServer(handler);
  let connections = 0;
  server.on("connection", () => {
    connections += 1;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const forEver = new AbortController().signal;

describe("a health probe", () => {
  test.each([
    [200, true],
    [204, true],
    [299, true],
    [301, false],
    [404, false],
    [500, false],
    [503, false],
  ])("takes %i for %s", async (status, isWell) => {
    await using cell = await startCell((_, res) => res.writeHead(status, { Location: "/elsewhere" }).end());
    expect(await healthProbe()(cell.url, forEver)).toBe(isWell);
  });

  test("opens a connection each time, and leaves none", async () => {
    await using cell = await startCell((_, res) => res.end("ok"));
    const probe = healthProbe();
    for (let n = 1; n <= 3; n++) {
      expect(await probe(cell.url, forEver)).toBe(true);
      expect(cell.connections()).toBe(n);
    }
  });

  test("does not read on where a cell sends more than anybody wants to know", async () => {
    let sent = 0;
    await using cell = await startCell((_, res) => {
      const more = (): void => {
        while (!res.destroyed && res.write("x".repeat(65_536))) sent += 65_536;
        if (!res.destroyed) res.once("drain", more);
      };
      more();
    });
    expect(await healthProbe()(cell.url, forEver)).toBe(true);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test("rejects where no connection comes about", async () => {
    const cell = await startCell((_, res) => res.end());
    await cell[Symbol.asyncDispose]();
    await expect(healthProbe()(cell.url, forEver)).rejects.toThrow();
  });

  test.each([
    ["the head", false],
    ["the body", true],
  ])("ends when its time is up while it waits for %s, and the cell feels it", async (_, sendsHead) => {
    let isGone = false;
    const arrived = Promise.withResolvers<void>();
    await using cell = await startCell((_, res) => {
      if (sendsHead) res.write("some of it");
      res.once("close", () => {
        isGone = true;
      });
      arrived.resolve();
    });
    const timeIsUp = new AbortController();
    const probing = healthProbe()(cell.url, timeIsUp.signal);
    await arrived.promise;
    timeIsUp.abort();
    await expect(probing).rejects.toThrow();
    await eventually(() => isGone, { what: "the cell feels it" });
  });
});
