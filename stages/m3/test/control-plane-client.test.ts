// The link's patience, on a clock that a test moves: real sockets, and waits that take no time.

import pino from "pino";
import { describe, expect, test } from "vitest";
import { ScriptedControlPlane } from "../../../shared/contract/m3/scripted-control-plane.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { ControlPlaneClient } from "../src/control-plane-client.ts";
import { SnapshotReceiver } from "../src/snapshot-receiver.ts";
import { decodeTable } from "../src/table-decoder.ts";

failOnLeaks();

const table = {
  version: "1",
  defaultPlacement: "tier1",
  routingTable: {},
  placements: { tier1: { kind: "tier", url: "http://127.0.0.1:9001" } },
};

function clientOf(url: string) {
  const clock = new FakeClock();
  const saved: number[] = [];
  const client = new ControlPlaneClient({
    url,
    readToken: async () => "a-token",
    routerId: "patient",
    receiver: new SnapshotReceiver({ examine: decodeTable, apply: () => {} }),
    onApplied: (message) => saved.push(message.length),
    maxMessageBytes: 100_000,
    clock,
    // The end of the range, as near as tells the ranges apart.
    random: () => 0.999,
    today: () => new Date(0),
    logger: pino({ level: "silent" }),
  });
  client.start();
  /** How long the client is going to wait before its next attempt. */
  const wait = async () => {
    const waits = () => (clock.sleeping === 1 && !client.status().connected ? clock.nextWakeInMs : undefined);
    return await eventually(waits, { what: "the client waits" });
  };
  const next = async () => clock.advance(await wait());
  return { client, clock, saved, wait, next };
}

describe("ControlPlaneClient", () => {
  test("waits longer after each attempt that came to nothing, up to a minute", async () => {
    const port = await ScriptedControlPlane.listen().then(async (each) => {
      await using _ = each;
      return each.port;
    });
    const { client, wait, clock } = clientOf(`ws://127.0.0.1:${port}/v1/connect`);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      waits.push(await wait());
      await clock.advance(waits.at(-1) ?? 0);
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
});
