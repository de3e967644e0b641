// How a control plane keeps up with the cluster, on a cluster in memory and a clock that a test moves.

import pino from "pino";
import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import type { Stored } from "../../../stages/m4/src/control-plane/stored.ts";
import { Follower } from "../follower.ts";
import { EtcdStore } from "../store.ts";
import { FakeEtcd } from "./fake-etcd.ts";

const table = (version: string): string =>
  JSON.stringify({
    version,
    defaultPlacement: "tier1",
    routingTable: {},
    placements: { tier1: { kind: "tier", url: "http://127.0.0.1:9001" } },
  });

async function following() {
  const etcd = new FakeEtcd();
  const clock = new FakeClock();
  const published: string[] = [];
  const lines: string[] = [];
  let names = 0;
  const dependencies = {
    client: etcd,
    clock,
    newEpoch: () => `epoch-${++names}`,
    tableKey: "/p/table",
    newWriteId: () => `write-${++names}`,
    maxMessageBytes: 10_000,
    onPublish: ({ document }: Stored) => published.push(document.version),
    onFault: () => {},
  };
  const store = await EtcdStore.open(dependencies, async () => table("1"), 1_000);
  const logger = pino({}, { write: (line: string) => lines.push(line) });
  const follower = new Follower({ client: etcd, store, clock, random: () => 0.5, logger });
  follower.start();
  const has = (version: string) =>
    eventually(() => published.at(-1) === version, { what: `version ${version} is published` });
  const logged = (words: string) =>
    eventually(() => lines.some((line) => line.includes(words)), { what: `the log has "${words}"` });
  /** The watch is open, and the look beside it waits. */
  const watching = () => eventually(() => clock.sleeping === 1, { what: "it watches" });
  await watching();
  return { etcd, clock, store, published, has, logged, watching, close: () => follower.close() };
}

describe("a control plane that follows the cluster", () => {
  test("publishes what others write, in order", async () => {
    const { etcd, has, published, close } = await following();
    etcd.put({ table: table("2") });
    await has("2");
    etcd.put({ table: table("3") });
    await has("3");
    expect(published).toEqual(["2", "3"]);
    await close();
  });

  test("keeps the last valid table while the cluster has one that is not, and tells why", async () => {
    const { etcd, store, has, published, close } = await following();
    etcd.put({ table: "{}" });
    await eventually(() => store.lastError()?.includes("placements"), { what: "the fault is told" });
    expect(published).toEqual([]);
    etcd.put({ table: table("2") });
    await has("2");
    expect(store.lastError()).toBeNull();
    await close();
  });

  test("reads everything anew when etcd has compacted what its watch has not had", async () => {
    const { etcd, clock, has, logged, published, close } = await following();
    etcd.isMute = true;
    for (const version of ["2", "3", "4"]) etcd.put({ table: table(version) });
    etcd.compact();
    await logged("compacted everything before revision");
    await clock.advance(50);
    await has("4");
    expect(published).toEqual(["4"]);
    etcd.isMute = false;
    await close();
  });

  test("does not believe a watch that is silent while the cluster moves on", async () => {
    const { etcd, clock, has, logged, watching, close } = await following();
    etcd.isMute = true;
    etcd.put({ table: table("2") });
    await clock.advance(1_000);
    await watching();
    await clock.advance(1_000);
    await logged("the watch is behind the cluster");
    await clock.advance(50);
    await has("2");
    await close();
  });

  test("believes a silent watch of a silent cluster", async () => {
    const { etcd, clock, watching, published, close } = await following();
    const { txns } = etcd;
    for (let second = 0; second < 5; second++) {
      await clock.advance(1_000);
      await watching();
    }
    expect(published).toEqual([]);
    expect(etcd.txns).toBe(txns);
    await close();
  });

  test("tells within a second that no majority responds, keeps its watch, and tells when one does again", async () => {
    const { etcd, clock, store, has, watching, close } = await following();
    etcd.isDown = true;
    await clock.advance(1_000);
    await eventually(() => store.lastError()?.includes("No majority"), { what: "the fault is told" });
    etcd.isDown = false;
    await watching();
    await clock.advance(1_000);
    await eventually(() => store.lastError() === null, { what: "the fault has ended" });
    etcd.put({ table: table("2") });
    await has("2");
    await close();
  });

  test("asks again about what a router proved during an outage", async () => {
    const { etcd, clock, store, close } = await following();
    const { history } = store.current();
    etcd.isDown = true;
    await store.renewEpoch({ ...history, revision: 1_000 });
    etcd.isDown = false;
    await clock.advance(1_000);
    await eventually(() => store.current().history.formerEpochs.includes(history.epoch), {
      what: "a new epoch has begun",
    });
    await close();
  });
});
