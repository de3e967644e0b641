// The store on a cluster in memory: when a new epoch begins, and when none does.

import { describe, expect, test } from "vitest";
import { edited, seed, world } from "./store-world.ts";

describe("an epoch", () => {
  test("and its revisions are the same for control planes that start at once", async () => {
    const { open } = world();
    const [a, b] = await Promise.all([open(), open()]);
    expect(a.store.current().history).toEqual(b.store.current().history);
  });

  test("ends when a control plane finds the cluster behind what it has seen", async () => {
    const { etcd, open } = world();
    const a = await open();
    const restore = etcd.backup();
    await a.set("tier2");
    const lost = a.store.current().history;
    restore();
    await a.store.refresh();
    const { history } = a.store.current();
    expect(history.epoch).not.toBe(lost.epoch);
    expect(history.formerEpochs).toContain(lost.epoch);
    expect(a.placement()).toBe("tier1");
  });

  test("ends when the revision that it has seen has other content now", async () => {
    const { etcd, open } = world();
    const a = await open();
    const restore = etcd.backup();
    await a.set("tier2");
    const lost = a.tag();
    restore();
    etcd.put({ table: edited("other") });
    expect(await a.set("tier2", lost)).toMatchObject({ kind: "conflict" });
    expect(a.store.current().history.formerEpochs).toHaveLength(1);
  });

  test("ends when the cluster has another id", async () => {
    const { etcd, open } = world();
    const a = await open();
    etcd.clusterId = "8";
    const b = await open();
    expect(b.store.current().history.formerEpochs).toEqual([a.store.current().history.epoch]);
    await a.store.refresh();
    expect(a.tag()).toBe(b.tag());
  });

  test("does not end because a router heard of a revision from another control plane first", async () => {
    const { open } = world();
    const [a, b] = [await open(), await open()];
    await a.set("tier2");
    const { epoch } = a.store.current().history;
    await b.store.renewEpoch(a.store.current().history);
    expect(b.store.current().history).toMatchObject({ epoch, formerEpochs: [] });
    expect(b.tag()).toBe(a.tag());
  });

  test("does not end because a response was overtaken by a later one", async () => {
    const { etcd, open } = world();
    const [a, b] = [await open(), await open()];
    const { epoch } = a.store.current().history;
    const { txns } = etcd;
    etcd.afterRead = async () => {
      await b.set("tier2");
      await a.store.refresh();
    };
    await a.store.refresh();
    expect(a.store.current().history).toMatchObject({ epoch, formerEpochs: [] });
    expect(a.placement()).toBe("tier2");
    expect(a.published).toHaveLength(1);
    // Nobody even tried to begin one.
    expect(etcd.txns).toBe(txns + 1);
  });

  test("that has ended does not come back with a late response", async () => {
    const { etcd, open } = world();
    const a = await open();
    const { history } = a.store.current();
    etcd.afterRead = () => a.store.renewEpoch({ ...history, revision: 1_000 });
    await a.store.refresh();
    expect(a.store.current().history.formerEpochs).toEqual([history.epoch]);
    expect(a.published).toHaveLength(1);
  });

  test("is settled for a router that comes while the cluster is being asked about another one", async () => {
    const { etcd, open } = world();
    const a = await open();
    const { history } = a.store.current();
    let second: Promise<void> | undefined;
    etcd.afterRead = async () => {
      second = a.store.renewEpoch({ ...history, epoch: "of-another-store" });
    };
    await a.store.renewEpoch({ ...history, revision: 1_000 });
    await second;
    expect(a.store.witnesses.areWaiting).toBe(false);
    expect(a.store.current().history.formerEpochs).toContain("of-another-store");
  });

  test("ends once for all routers and control planes that have the same proof", async () => {
    const { etcd, open } = world();
    const first = await open();
    const restore = etcd.backup();
    await first.set("tier2");
    const have = first.store.current().history;
    restore();
    const [a, b] = [await open(), await open()];
    await Promise.all([
      a.store.renewEpoch(have),
      a.store.renewEpoch(have),
      b.store.renewEpoch(have),
      first.store.refresh(),
    ]);
    await Promise.all([a, b, first].map(({ store }) => store.refresh()));
    expect(a.tag()).toBe(b.tag());
    expect(a.tag()).toBe(first.tag());
    expect(a.store.current().history.formerEpochs).toEqual([have.epoch]);
  });

  test("ends once after an outage during which routers came with ever new epochs", async () => {
    const { etcd, open } = world();
    const a = await open();
    const { history } = a.store.current();
    etcd.isDown = true;
    for (let number = 0; number < 200; number++)
      await a.store.renewEpoch({ ...history, epoch: `unknown-${number}` });
    etcd.isDown = false;
    const { txns } = etcd;
    await a.store.refresh();
    expect(etcd.txns).toBe(txns + 1);
    expect(a.store.current().history.formerEpochs).toHaveLength(33);
  });

  test("ends after an outage, if a router proved during the outage that it must", async () => {
    const { etcd, open } = world();
    const a = await open();
    const { epoch, checksum } = a.store.current().history;
    etcd.isDown = true;
    await a.store.renewEpoch({ epoch, revision: 1_000, checksum });
    expect(a.store.current().history.epoch).toBe(epoch);
    expect(a.store.witnesses.areWaiting).toBe(true);
    etcd.isDown = false;
    await a.store.refresh();
    expect(a.store.current().history.formerEpochs).toEqual([epoch]);
    expect(a.store.witnesses.areWaiting).toBe(false);
  });

  test("is not given up for a key that somebody deleted, and the next write brings it back", async () => {
    const { etcd, open } = world();
    const a = await open();
    const { epoch, revision } = a.store.current().history;
    etcd.put({ table: undefined });
    expect(await a.set("tier1")).toMatchObject({ kind: "stored" });
    expect(a.store.current().history.epoch).toBe(epoch);
    expect(a.store.current().history.revision).toBeGreaterThan(revision);
    expect(JSON.parse(etcd.text("table"))).toEqual(seed);
  });
});
