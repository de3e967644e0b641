// Two control planes on one cluster of three nodes, as an operator meets them. What faults do to them: `faults/`.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, within } from "../../shared/testkit/eventually.ts";
import { contractRouting, type RouterProcess, startRouter } from "../../shared/testkit/router-process.ts";
import { engineVersion } from "../topic.ts";
import { type EtcdCluster, startEtcd } from "./cluster.ts";
import { EtcdControlPlane } from "./etcd-control-plane.ts";

const prefix = "/cell-routing/";
const token = "a-token-of-the-slow-test";

describe.skipIf(engineVersion("etcd") === undefined)("two control planes on one etcd cluster", () => {
  let etcd: EtcdCluster;
  let a: EtcdControlPlane;
  let b: EtcdControlPlane;

  beforeAll(async () => {
    etcd = await startEtcd();
    const options = { endpoints: etcd.endpoints, routing: contractRouting(), token };
    // At once, on an empty cluster: one of them brings the table.
    [a, b] = await Promise.all([EtcdControlPlane.start(options), EtcdControlPlane.start(options)]);
  });
  afterAll(async () => {
    await a?.[Symbol.asyncDispose]();
    await b?.[Symbol.asyncDispose]();
    await etcd?.[Symbol.asyncDispose]();
  });

  /** Past all control planes, as with etcdctl. */
  const put = (name: string, value: string) =>
    etcd.node(0).call("/v3/kv/put", {
      key: Buffer.from(prefix + name).toString("base64"),
      value: Buffer.from(value).toString("base64"),
    });

  const bothAt = (etag: string) =>
    eventually(async () => (await a.etag()) === etag && (await b.etag()) === etag, {
      what: `both at ${etag}`,
    });

  test("that start at once on an empty cluster agree on the first table, its epoch and its revision", async () => {
    expect(await a.get("/v1/routing")).toEqual(await b.get("/v1/routing"));
    expect((await a.get("/v1/routing")).body).toEqual(contractRouting());
  });

  test("a key that is moved through one of them is moved at the other, under the same entity tag", async () => {
    const moved = await a.patch("acme", "tier2", await a.etag());
    expect(moved.status).toBe(200);
    await bothAt(moved.etag);
    expect((await b.get("/v1/routing/keys/acme")).body).toMatchObject({ placement: "tier2" });
  });

  test("of two writers with the same entity tag, one wins and the other is told 412 with the tag to read", async () => {
    const etag = await a.etag();
    await bothAt(etag);
    const replies = await Promise.all([
      a.patch("acme", "tier1", etag),
      b.patch("acme", "tier3", etag),
      a.patch("globex", "tier1", etag),
      b.patch("globex", "tier3", etag),
    ]);
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    const winner = replies.find(({ status }) => status === 200);
    for (const loser of replies.filter(({ status }) => status === 412)) {
      expect(loser).toMatchObject({ etag: winner?.etag, body: { code: "revision-changed" } });
    }
    await bothAt(winner?.etag ?? "");
  });

  test("writers who accept any tag all get in, one after the other", async () => {
    const keys = Array.from({ length: 6 }, (_, index) => `key-${index}`);
    const replies = await Promise.all(
      keys.map((key, index) => (index % 2 === 0 ? a : b).patch(key, "tier1", "*")),
    );
    expect(replies.map(({ status }) => status)).toEqual(keys.map(() => 200));
    expect(new Set(replies.map(({ etag }) => etag)).size).toBe(keys.length);
    const table = (await a.get("/v1/routing")).body as { routingTable: object };
    expect(Object.keys(table.routingTable)).toEqual(expect.arrayContaining(keys));
  });

  test("unchanged content keeps its revision", async () => {
    const { etag, body } = await a.get("/v1/routing");
    await bothAt(etag);
    expect(await b.put(body, etag)).toMatchObject({ status: 200, etag });
    expect(await a.etag()).toBe(etag);
  });

  test("a table that is not valid is refused with every fault, and changes nothing", async () => {
    const etag = await a.etag();
    const reply = await a.put({ ...(contractRouting() as object), defaultPlacement: "nowhere" }, etag);
    expect(reply).toMatchObject({ status: 422, body: { code: "invalid-routing-table" } });
    expect(await a.etag()).toBe(etag);
  });

  test("a control plane that starts later has the table, its epoch and its revision", async () => {
    const etag = await a.etag();
    const routing = { ...(contractRouting() as object), version: "another" };
    await using late = await EtcdControlPlane.start({ endpoints: etcd.endpoints, routing, token });
    expect(await late.get("/v1/routing")).toEqual(await a.get("/v1/routing"));
    expect(await late.etag()).toBe(etag);
  });

  test("rubbish in the table's key stops neither a start nor a whole table, and a change of one key is told why", async () => {
    const etag = await a.etag();
    const { body } = await a.get("/v1/routing");
    await put("table", "rubbish");
    await eventually(async () => String((await a.get("/healthz")).body["storeFault"]).includes(prefix), {
      what: "the fault is shown",
    });
    await using late = await EtcdControlPlane.start({ endpoints: etcd.endpoints, routing: {}, token });
    expect(await late.get("/v1/routing")).toMatchObject({ etag, body });
    const refused = await late.patch("acme", "tier1", "*");
    expect(refused).toMatchObject({ status: 503, body: { code: "store-unwritable" } });
    expect(String(refused.body["faults"])).toContain(`The key ${prefix}table in etcd holds no valid table`);
    const mended = await late.put({ ...body, version: "mended" }, etag);
    expect(mended.status).toBe(200);
    await bothAt(mended.etag);
    await eventually(async () => (await late.get("/healthz")).body["storeFault"] === null, {
      what: "the fault is over",
    });
  });

  test("keys under the prefix that are not the store's stop nobody", async () => {
    await put("zz", "x".repeat(1_000_000));
    const env = { MAX_MESSAGE_BYTES: "100000" };
    const options = { endpoints: etcd.endpoints, routing: {}, token, env };
    await using small = await EtcdControlPlane.start(options);
    expect((await small.patch("acme", "tier2", "*")).status).toBe(200);
  });

  test("a table that is longer than this control plane takes is told as that, not as a lost majority", async () => {
    const etag = await a.etag();
    const env = { MAX_MESSAGE_BYTES: "100000" };
    const options = { endpoints: etcd.endpoints, routing: {}, token, env };
    await using small = await EtcdControlPlane.start(options);
    await put("table", "x".repeat(1_000_000));
    const refused = await small.patch("acme", "tier2", "*");
    expect(refused).toMatchObject({ status: 503, body: { code: "store-unwritable" } });
    expect(String(refused.body["faults"])).toContain("longer than 265536 bytes");
    const { body } = await a.get("/v1/routing");
    const mended = await a.put(body, etag);
    expect(mended.status).toBe(200);
    await bothAt(mended.etag);
  });

  test("a control plane that is told to stop ends at once, with exit code 0", async () => {
    const options = { endpoints: etcd.endpoints, routing: contractRouting(), token };
    await using controlPlane = await EtcdControlPlane.start(options);
    controlPlane.program.signal("SIGTERM");
    // Less than what a stop may take when something hangs: five seconds.
    expect(await within(controlPlane.program.exited, 4_000, "it ends")).toEqual({ code: 0, signal: null });
  });

  test("a router of any stage moves to the control plane that is left, and hears of changes there", async () => {
    const options = { endpoints: etcd.endpoints, routing: contractRouting(), token };
    await using first = await EtcdControlPlane.start(options);
    await using second = await EtcdControlPlane.start(options);
    const env = { CONTROL_PLANE_URL: `${first.url},${second.url}`, CONTROL_PLANE_TOKEN: token };
    await using m3 = await startRouter({ stage: "m3", env });
    await using m5 = await startRouter({ stage: "m5", env });
    const linkedTo = async (router: RouterProcess, etag: string, places: readonly EtcdControlPlane[]) => {
      const config = (await (await fetch(`${router.ready["adminUrl"]}/debug/config`)).json()) as RouterConfig;
      const place = places.find(
        ({ url }) => config.controlPlane === `${url.replace("http", "ws")}/v1/connect`,
      );
      return config.connected && `"${config.epoch}.${config.revision}"` === etag ? place : undefined;
    };
    const eventuallyAt = (router: RouterProcess, etag: string, places: readonly EtcdControlPlane[]) =>
      eventually(() => linkedTo(router, etag, places), {
        what: `${router.stage} is at ${etag}`,
        deadlineMs: 15_000,
      });
    const before = await first.etag();
    const place = await eventuallyAt(m3, before, [first, second]);
    await eventuallyAt(m5, before, [first, second]);
    const left = place === first ? second : first;
    await place.kill();
    const { etag } = await left.patch("acme", "visa", "*");
    await Promise.all([eventuallyAt(m3, etag, [left]), eventuallyAt(m5, etag, [left])]);
  });
});

interface RouterConfig {
  readonly controlPlane: string;
  readonly connected: boolean;
  readonly epoch: string;
  readonly revision: number;
}
