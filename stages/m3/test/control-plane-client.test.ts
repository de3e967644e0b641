// The link's patience, on a clock that a test moves: real sockets, and waits that take no time.

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import pino from "pino";
import { describe, expect, test } from "vitest";
import { ScriptedControlPlane } from "../../../shared/contract/m3/scripted-control-plane.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { ControlPlaneClient } from "../src/control-plane-client.ts";
import { IntakeBudget } from "../src/intake-budget.ts";
import { SnapshotReceiver, type SnapshotReceiverDependencies } from "../src/snapshot-receiver.ts";
import { decodeTable } from "../src/table-decoder.ts";

failOnLeaks();

const table = {
  version: "1",
  defaultPlacement: "tier1",
  routingTable: {},
  placements: { tier1: { kind: "tier", url: "http://127.0.0.1:9001" } },
};

function clientOf(
  url: string,
  validate: SnapshotReceiverDependencies["validate"] = decodeTable,
  others: readonly string[] = [],
) {
  const clock = new FakeClock();
  const saved: number[] = [];
  const budget = new IntakeBudget(clock.now());
  let lost = 0;
  const write = (line: string): void => {
    if (line.includes("control-plane-lost")) lost += 1;
  };
  const client = new ControlPlaneClient({
    // Of several, chance picks the last one first.
    urls: [...others, url],
    readToken: async () => "a-token",
    routerId: "patient",
    receiver: new SnapshotReceiver({ validate, apply: () => {} }),
    onApplied: (message) => saved.push(message.length),
    maxMessageBytes: 100_000,
    budget,
    clock,
    // The end of the range, as near as tells the ranges apart.
    random: () => 0.999,
    wallClock: () => new Date(0),
    logger: pino({}, { write }),
  });
  client.start();
  /** How long the client is going to wait before its next attempt, once another one has come to nothing. */
  const wait = async () => {
    await eventually(() => lost > 0 && clock.sleeping === 1, { what: "the client waits" });
    return clock.nextWakeInMs ?? 0;
  };
  const next = async (ms?: number) => {
    const waitMs = ms ?? (await wait());
    lost = 0;
    await clock.advance(waitMs);
  };
  return { client, clock, budget, saved, wait, next };
}

describe("ControlPlaneClient", () => {
  test("waits longer after each attempt that came to nothing, up to a minute", async () => {
    const port = await ScriptedControlPlane.listen().then(async (each) => {
      await using _ = each;
      return each.port;
    });
    const { client, wait, next } = clientOf(`ws://127.0.0.1:${port}/v1/connect`);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      waits.push(await wait());
      await next(waits.at(-1));
    }
    expect(waits).toEqual([999, 1998, 3996, 7992, 15_984, 31_968, 59_940, 59_940, 59_940]);
    expect(client.status()).toMatchObject({
      connected: false,
      lastError: { faults: [expect.stringMatching(/ECONNREFUSED/)] },
    });
    await client.close();
  });

  test("a link that only connects has proven nothing; one that brought the table has", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const { client, wait, next, saved } = clientOf(controlPlane.url);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      (await controlPlane.nextLink()).cut();
      waits.push(await wait());
      await next();
    }
    expect(waits).toEqual([999, 1998, 3996]);
    const link = await controlPlane.nextLink();
    await link.push({ epoch: "one", revision: 1 }, table);
    expect(saved).toHaveLength(1);
    link.cut();
    expect(await wait()).toBe(999);
    await client.close();
  });

  test("a refused table proves nothing either", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const { client, wait, next, saved } = clientOf(controlPlane.url);
    for (const expected of [999, 1998]) {
      const link = await controlPlane.nextLink();
      link.sendSnapshot({ epoch: "one", revision: 1 }, {});
      expect(await link.next()).toMatchObject({ type: "nack" });
      link.cut();
      expect(await wait()).toBe(expected);
      await next();
    }
    expect(saved).toEqual([]);
    await client.close();
  });

  test("moves to the next control plane when it loses one, with the same waits, and round again", async () => {
    await using first = await ScriptedControlPlane.listen();
    await using second = await ScriptedControlPlane.listen();
    await using third = await ScriptedControlPlane.listen();
    second.refuseWith = 503;
    const { client, wait, next } = clientOf(first.url, decodeTable, [second.url, third.url]);
    const link = await first.nextLink();
    await link.push({ epoch: "one", revision: 1 }, table);
    expect(client.status()).toMatchObject({ url: first.url, connected: true });
    link.cut();
    expect(await wait()).toBe(999);
    await next();
    expect(await wait()).toBe(1998);
    expect(second.attempts).toBe(1);
    expect(client.status()).toMatchObject({ url: third.url, connected: false });
    await next();
    const moved = await third.nextLink();
    expect(moved.hello).toMatchObject({ have: { epoch: "one", revision: 1 } });
    await moved.push({ epoch: "one", revision: 2 }, table);
    moved.cut();
    expect(await wait()).toBe(999);
    await next();
    expect((await first.nextLink()).hello).toMatchObject({ have: { epoch: "one", revision: 2 } });
    expect([first.attempts, second.attempts, third.attempts]).toEqual([2, 1, 1]);
    await client.close();
  });

  test("leaves a control plane that answers each ping and sends no table", async () => {
    await using silent = await ScriptedControlPlane.listen();
    await using good = await ScriptedControlPlane.listen();
    const { client, clock, next } = clientOf(silent.url, decodeTable, [good.url]);
    await silent.nextLink();
    for (let pings = 0; pings < 10; pings++) {
      await eventually(() => clock.sleeping === 2, { what: "the client watches its link" });
      await clock.advance(3_000);
    }
    await next();
    await (await good.nextLink()).push({ epoch: "one", revision: 1 }, table);
    expect(client.status()).toMatchObject({ url: good.url, connected: true });
    await client.close();
  });

  test("does not leave a control plane because of what it has not read itself", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const { client, clock, budget } = clientOf(controlPlane.url);
    const link = await controlPlane.nextLink();
    await eventually(() => clock.sleeping === 2, { what: "the client watches its link" });
    // Earlier links have used up the time for reading; the next piece shows it.
    budget.reading.spend(1_500, clock.now());
    await link.ping();
    await eventually(() => clock.sleeping === 3, { what: "it reads no more" });
    await clock.advance(45_000);
    expect(client.status()).toMatchObject({ connected: true, lastError: null });
    // The few bytes of the ping have cost something, too.
    await clock.advance(5_100);
    await link.push({ epoch: "one", revision: 1 }, table);
    await clock.advance(10_000);
    await eventually(() => clock.sleeping === 1, { what: "only its life is watched" });
    expect(client.status()).toMatchObject({ connected: true, lastError: null });
    await client.close();
  });

  test("is stale by the time since it was last known to be up to date", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const { client, clock, wait } = clientOf(controlPlane.url);
    const link = await controlPlane.nextLink();
    await clock.advance(2_000);
    expect(client.status().stalenessSeconds).toBe(2);
    await link.push({ epoch: "one", revision: 1 }, table);
    expect(client.status()).toMatchObject({ connected: true, stalenessSeconds: 0, lastError: null });
    link.cut();
    await wait();
    await clock.advance(500);
    expect(client.status()).toMatchObject({ connected: false, stalenessSeconds: 0.5 });
    await client.close();
  });

  test("closes while it waits, while it connects, and while it is linked", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const connecting = clientOf(controlPlane.url);
    await connecting.client.close();
    const linked = clientOf(controlPlane.url);
    controlPlane.forgetLinks();
    const link = await controlPlane.nextLink();
    await linked.client.close();
    expect((await link.closed).code).toBe(1001);
    controlPlane.refuseWith = 503;
    const waiting = clientOf(controlPlane.url);
    await waiting.wait();
    await waiting.client.close();
    expect(waiting.clock.sleeping).toBe(0);
  });

  test("a handshake that comes in drop by drop is given up as a whole", async () => {
    await using server = await drippingServer();
    const { client, clock, wait } = clientOf(server.url);
    await server.asked;
    for (let drop = 0; drop < 9; drop++) {
      await clock.advance(1_000);
      await server.drip();
    }
    expect(client.status().lastError).toBeNull();
    await clock.advance(1_000);
    expect(client.status().lastError?.faults.join()).toMatch(/handshake within 10000 ms/);
    await wait();
    await client.close();
  });

  test("snapshots without a pause take their share of the time, and the newest is what counts", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const validated: number[] = [];
    const slow = clientOf(controlPlane.url, async (tableJson) => {
      const decoded = decodeTable(tableJson);
      validated.push(decoded.ok ? Number(decoded.table.version) : 0);
      // As if each took two seconds of this process's time.
      slow.budget.work.spend(2_000, slow.clock.now());
      return decoded;
    });
    const link = await controlPlane.nextLink();
    const send = (revision: number) =>
      link.sendSnapshot({ epoch: "one", revision }, { ...table, version: `${revision}` });
    send(1);
    // The first one is within what may be done at once; half of its time is owed.
    await link.expectAck({ epoch: "one", revision: 1 });
    for (let revision = 2; revision <= 30; revision++) send(revision);
    await link.ping();
    await slow.clock.advance(1_000 / 0.08 - 1);
    expect(validated).toEqual([1]);
    await slow.clock.advance(1);
    await link.expectAck({ epoch: "one", revision: 30 });
    // Those in between went by unread.
    expect(validated).toEqual([1, 30]);
    await slow.client.close();
  });

  test("what is not a newer table waits at the other end, and the silence is not taken for that end's", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const { client, clock, budget } = clientOf(controlPlane.url);
    const link = await controlPlane.nextLink();
    await link.push({ epoch: "one", revision: 1 }, table);
    budget.work.spend(3_000, clock.now());
    // Another epoch each: none of them makes another one void. Together they are more than the system keeps.
    const routingTable = Object.fromEntries(Array.from({ length: 4_000 }, (_, key) => [`t-${key}`, "tier1"]));
    const large = { ...table, routingTable };
    for (let epoch = 2; epoch <= 200; epoch++) link.sendSnapshot({ epoch: `${epoch}`, revision: 1 }, large);
    for (let seconds = 0; seconds < 24; seconds++) {
      await clock.advance(1_000);
      await link.turn();
    }
    expect(link.unsentBytes).toBeGreaterThan(1_000_000);
    expect(client.status()).toMatchObject({ connected: true, lastError: null });
    await clock.advance(2_000);
    for (let epoch = 2; epoch <= 200; epoch++) await link.expectAck({ epoch: `${epoch}`, revision: 1 });
    await client.close();
  });

  test("a flood of anything else is read at its own small share", async () => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const { client, clock, budget } = clientOf(controlPlane.url);
    const link = await controlPlane.nextLink();
    await link.push({ epoch: "one", revision: 1 }, table);
    // As if reading had taken long; the next piece shows it.
    budget.reading.spend(700, clock.now());
    await link.ping();
    await eventually(() => clock.sleeping === 3, { what: "it reads no more" });
    const ponged = link.ping();
    await clock.advance(200 / 0.02 - 1);
    expect(client.status()).toMatchObject({ connected: true, lastError: null });
    expect(clock.sleeping).toBe(3);
    // The few bytes of the ping have cost something, too.
    await clock.advance(10);
    await ponged;
    await client.close();
  });
});

/** Takes a handshake, and answers it one byte at a time. */
async function drippingServer() {
  const server = createServer();
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const response = Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nX-Slow: ${"x".repeat(1_000)}`);
  let sent = 0;
  const asked = once(server, "connection").then(([socket]) => socket as Socket);
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/connect`,
    asked,
    drip: async () => {
      const socket = await asked;
      await new Promise((resolve) => socket.write(response.subarray(sent++, sent), resolve));
    },
    async [Symbol.asyncDispose]() {
      (await asked).destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
