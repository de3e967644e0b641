// The store on a cluster in memory whose key `table` holds rubbish, or more than can be read.

import { describe, expect, test } from "vitest";
import { edited, world } from "./store-world.ts";

describe("a write", () => {
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
