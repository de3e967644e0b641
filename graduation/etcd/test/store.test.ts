// The store on a cluster in memory: what becomes of a write whichever message gets lost.

import { describe, expect, test } from "vitest";
import { edited, world } from "./store-world.ts";

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
});
