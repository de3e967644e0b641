// The store on a cluster in memory: what becomes of a write whichever message gets lost, and when a new epoch begins.

import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import {
  etagOf,
  removeKey,
  replaceDocument,
  type Stored,
  setKey,
} from "../../../stages/m4/src/control-plane/stored.ts";
import type { WriteResult } from "../../../stages/m4/src/control-plane/write-result.ts";
import { EtcdStore } from "../store.ts";
import { FakeEtcd } from "./fake-etcd.ts";

const seed = {
  version: "1",
  defaultPlacement: "tier1",
  routingTable: { acme: "tier1" },
  placements: {
    tier1: { kind: "tier", url: "http://127.0.0.1:9001" },
    tier2: { kind: "tier", url: "http://127.0.0.1:9002" },
  },
};
const edited = (version: string): string => JSON.stringify({ ...seed, version });

/** Control planes on one cluster, on a clock that does not wait. */
function world() {
  const etcd = new FakeEtcd();
  const clock = new FakeClock();
  let names = 0;
  const open = async () => {
    const published: Stored[] = [];
    const faults: string[] = [];
    const dependencies = {
      client: etcd,
      clock,
      tableKey: "/p/table",
      newEpoch: () => `epoch-${++names}`,
      newWriteId: () => `write-${++names}`,
      maxMessageBytes: 10_000,
      onPublish: (stored: Stored) => published.push(stored),
      onFault: (error: Error) => faults.push(error.message),
    };
    const store = await EtcdStore.open(dependencies, async () => JSON.stringify(seed), 1_000);
    const tag = () => etagOf(store.current().history);
    const placement = () => store.current().document.routingTable["acme"];
    const set = (to: string, ifMatch = tag()) =>
      store.write(setKey("acme", to), (etag) => ifMatch === "*" || ifMatch === etag);
    const accepts = (ifMatch: string) => (etag: string) => ifMatch === "*" || ifMatch === etag;
    const remove = (key: string) => store.write(removeKey(key), accepts("*"));
    const replace = (version: string, ifMatch: string) => {
      const text = edited(version);
      return store.write(replaceDocument(Buffer.from(text), JSON.parse(text)), accepts(ifMatch));
    };
    return { store, published, faults, tag, placement, set, remove, replace };
  };
  /** Lets waits pass until `result` is there. */
  const passing = async (result: Promise<WriteResult>) => {
    let settled = false;
    const done = result.finally(() => {
      settled = true;
    });
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      if (clock.sleeping > 0) await clock.advance(clock.nextWakeInMs ?? 0);
    }
    return await done;
  };
  return { etcd, open, passing };
}

describe("a write", () => {
  test("is stored at the revision of the transaction, and published", async () => {
    const { etcd, open } = world();
    const a = await open();
    const before = a.store.current().history;
    const result = await a.set("tier2");
    expect(result).toMatchObject({ kind: "stored", stored: { history: { epoch: before.epoch } } });
    expect(a.placement()).toBe("tier2");
    expect(a.published).toHaveLength(1);
    expect(JSON.parse(etcd.text("table"))).toMatchObject({ routingTable: { acme: "tier2" } });
  });

  test("is a conflict when another control plane was faster, even if nobody has told this one", async () => {
    const { open } = world();
    const [a, b] = [await open(), await open()];
    const stale = b.tag();
    await a.set("tier2");
    expect(await b.set("tier2", stale)).toMatchObject({ kind: "conflict" });
    expect(b.tag()).toBe(a.tag());
  });

  test("is a conflict when another one comes between the read and the transaction", async () => {
    const { etcd, open } = world();
    const a = await open();
    etcd.meanwhile = () => etcd.put({ table: edited("2") });
    expect(await a.set("tier2")).toMatchObject({ kind: "conflict", stored: { document: { version: "2" } } });
    expect(a.placement()).toBe("tier1");
  });

  test("that accepts any tag is made upon what the other one wrote", async () => {
    const { etcd, open } = world();
    const a = await open();
    etcd.meanwhile = () => etcd.put({ table: edited("2") });
    expect(await a.set("tier2", "*")).toMatchObject({ kind: "stored" });
    expect(a.store.current().document).toMatchObject({ version: "2", routingTable: { acme: "tier2" } });
  });

  test("of unchanged content writes nothing", async () => {
    const { etcd, open } = world();
    const a = await open();
    const { txns } = etcd;
    expect(await a.set("tier1")).toMatchObject({ kind: "stored", stored: a.store.current() });
    expect(etcd.txns).toBe(txns);
  });

  test.each([
    ["its request is lost", ["request-lost"] as const],
    ["its response is lost", ["response-lost"] as const],
    ["it cannot be sent", ["not-sent", "not-sent"] as const],
    ["it is the one that fills the disk", ["full-by-this"] as const],
    ["its response is lost, and by then the disk is full", ["response-lost", "full"] as const],
    ["responses are lost again and again", ["response-lost", "response-lost", "request-lost"] as const],
  ])("is stored once, and known to be, when %s", async (_, losses) => {
    const { etcd, open, passing } = world();
    const a = await open();
    const revision = a.store.current().history.revision;
    etcd.losses.push(...losses);
    expect(await passing(a.set("tier2"))).toMatchObject({ kind: "stored" });
    expect(a.placement()).toBe("tier2");
    expect(a.store.current().history.revision).toBe(revision + 1);
  });

  test("that nobody confirms in time is unknown, and never called stored or refused", async () => {
    const { etcd, open, passing } = world();
    const a = await open();
    etcd.losses.push(...Array.from({ length: 200 }, () => "request-lost" as const));
    expect(await passing(a.set("tier2"))).toMatchObject({ kind: "unknown" });
    expect(a.placement()).toBe("tier1");
  });

  test("whose response is lost and that others have written over is unknown", async () => {
    const { etcd, open, passing } = world();
    const [a, b] = [await open(), await open()];
    etcd.losses.push("response-lost");
    const result = a.set("tier2", "*");
    await new Promise((resolve) => setImmediate(resolve));
    await b.set("tier1", "*");
    await b.set("tier2", "*");
    expect(await passing(result)).toMatchObject({ kind: "unknown" });
  });

  test("is refused when the disk of the cluster is full", async () => {
    const { etcd, open } = world();
    const a = await open();
    etcd.losses.push("full");
    expect(await a.set("tier2")).toMatchObject({
      kind: "unwritable",
      cause: "etcd takes no write: no space",
    });
    expect(a.placement()).toBe("tier1");
  });

  test("is unknown when a request was lost and the disk is full since", async () => {
    const { etcd, open, passing } = world();
    const a = await open();
    etcd.losses.push("request-lost", "full");
    expect(await passing(a.set("tier2"))).toMatchObject({ kind: "unknown" });
  });

  test("is refused while no majority responds, and reads go on", async () => {
    const { etcd, open } = world();
    const a = await open();
    etcd.isDown = true;
    const result = await a.set("tier2");
    expect(result).toMatchObject({ kind: "unwritable", cause: expect.stringContaining("No majority") });
    expect(a.placement()).toBe("tier1");
    expect(a.store.lastError()).toContain("No majority");
  });

  test("of one key is refused while the table in the cluster is not valid, and nothing is written over it", async () => {
    const { etcd, open } = world();
    const a = await open();
    etcd.put({ table: "{}" });
    for (const result of [await a.set("tier2", "*"), await a.remove("acme")])
      expect(result).toMatchObject({
        kind: "unwritable",
        cause: expect.stringContaining("The key /p/table in etcd"),
      });
    expect(etcd.text("table")).toBe("{}");
    expect(a.store.lastError()).toContain("/p/table");
  });

  test.each([
    ["accepts any tag", () => "*"],
    ["names the last valid revision", (tag: string) => tag],
  ])("of a whole table that %s replaces one that is not valid", async (_, ifMatch) => {
    const { etcd, open } = world();
    const [a, b] = [await open(), await open()];
    const before = a.store.current().history;
    etcd.put({ table: "{}" });
    expect(await a.replace("2", ifMatch(a.tag()))).toMatchObject({ kind: "stored" });
    await b.store.refresh();
    expect(b.store.current()).toMatchObject({ document: { version: "2" } });
    expect(b.tag()).toBe(a.tag());
    expect(a.store.current().history.epoch).toBe(before.epoch);
    expect(a.store.current().history.revision).toBe(before.revision + 2);
  });

  test("of a whole table replaces one that is not valid only if nobody was faster", async () => {
    const { etcd, open } = world();
    const [a, b] = [await open(), await open()];
    const tag = a.tag();
    etcd.put({ table: "{}" });
    expect(await a.replace("2", '"of-another.1"')).toMatchObject({ kind: "conflict" });
    expect(etcd.text("table")).toBe("{}");
    etcd.meanwhile = () => etcd.put({ table: edited("3") });
    expect(await a.replace("2", tag)).toMatchObject({ kind: "conflict" });
    expect(await b.replace("4", tag)).toMatchObject({ kind: "conflict" });
    expect(JSON.parse(etcd.text("table"))).toMatchObject({ version: "3" });
  });

  test("is refused with words of its own when a response is too long", async () => {
    const { etcd, open } = world();
    const a = await open();
    etcd.isTooLong = true;
    expect(await a.set("tier2")).toMatchObject({
      kind: "unwritable",
      cause: expect.stringMatching(/^The keys beside \/p\/table in etcd cannot be read: .*longer/),
    });
    // A majority responds all the time.
    a.store.faults.noteReachable();
    expect(a.store.lastError()).toContain("longer");
  });
});

describe("a control plane that starts while the table is not valid", () => {
  test("has the last valid one, as those have that run", async () => {
    const { etcd, open } = world();
    const a = await open();
    await a.set("tier2");
    for (const rubbish of ["{}", "rubbish", "[]"]) etcd.put({ table: rubbish });
    const b = await open();
    expect(b.store.current()).toEqual(a.store.current());
    await b.store.refresh();
    expect(b.tag()).toBe(a.tag());
    expect(await b.replace("2", "*")).toMatchObject({ kind: "stored" });
  });

  test("has it also when the cluster has got another id", async () => {
    const { etcd, open } = world();
    const a = await open();
    const { epoch } = a.store.current().history;
    etcd.put({ table: "{}" });
    etcd.clusterId = "8";
    const b = await open();
    expect(await b.replace("2", "*")).toMatchObject({ kind: "stored" });
    expect(b.store.current().history.formerEpochs).toEqual([epoch]);
  });

  test.each([
    ["etcd has compacted its history", ["{}"], true],
    ["the key was deleted before", [undefined, "{}"], false],
    ["too many invalid ones came after it", Array.from({ length: 17 }, (_, index) => `{${index}`), false],
  ])("says which key to mend, and how, when %s", async (_, tables, isCompacted) => {
    const { etcd, open } = world();
    await open();
    for (const table of tables) etcd.put({ table });
    if (isCompacted) etcd.compact();
    await expect(open()).rejects.toThrow(/^The key \/p\/table in etcd.*[\s\S]*etcdctl put \/p\/table/);
  });
});

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
