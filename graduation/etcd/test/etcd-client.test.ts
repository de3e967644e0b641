// The client against servers that respond as a gateway of etcd does, late, or not at all.

import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { base64, clientOf, header, prefix, responding, server, table } from "./gateway.ts";

failOnLeaks();

/** What a read of the store's keys gets, one range for each. */
const rangesOf = (...kvs: object[]) => ({
  header,
  responses: ["table", "epoch", "write"].map((name) => {
    const found = kvs.filter((kv) => "key" in kv && kv.key === base64(prefix + name));
    return { response_range: found.length === 0 ? {} : { kvs: found, count: "1" } };
  }),
});
const threeKeys = ["table", "epoch", "write"].map((name) => ({
  request_range: { key: base64(prefix + name) },
}));

/** A port at which nobody listens. */
async function closedUrl(): Promise<string> {
  const { url, close } = await responding({});
  await close();
  return url;
}

describe("a read", () => {
  test("asks for the three keys by name, and understands numbers, ids and absent fields", async () => {
    await using etcd = await responding({
      ...rangesOf(table, { key: base64("/p/write") }),
      succeeded: true,
    });
    await using own = clientOf(etcd.url);
    const range = await own.client.read(1_000);
    expect(etcd.bodies).toEqual([{ success: threeKeys }]);
    expect(range).toMatchObject({ clusterId: "17297804430150500011", revision: 9 });
    expect(range.entries.get("table")).toEqual({ value: Buffer.from("{}"), modRevision: 7, version: 3 });
    expect(range.entries.get("write")).toEqual({ value: Buffer.from(""), modRevision: 0, version: 0 });
    expect([...range.entries.keys()]).toEqual(["table", "write"]);
  });

  test("of an older revision, or without the values, says so for each key", async () => {
    await using etcd = await responding(rangesOf());
    await using own = clientOf(etcd.url);
    await own.client.read(1_000, { revision: 5 });
    await own.client.read(1_000, { keysOnly: true });
    const asked = (how: object) => ({
      success: threeKeys.map(({ request_range }) => ({ request_range: { ...request_range, ...how } })),
    });
    expect(etcd.bodies).toEqual([asked({ revision: "5" }), asked({ keys_only: true })]);
  });

  test.each([
    ["no number as its cluster id", { ...rangesOf(), header: { ...header, cluster_id: "x1" } }, "cluster_id"],
    ["fewer ranges than were asked for", { header, responses: [{ response_range: {} }] }, "responses"],
  ])("does not believe a response with %s", async (_, message, words) => {
    await using etcd = await responding(message);
    await using own = clientOf(etcd.url);
    await expect(own.client.txn({}, {}, 1_000)).rejects.toThrow(`no response of etcd's: `);
    await expect(own.client.txn({}, {}, 1_000)).rejects.toThrow(words);
  });

  test("whose response is too long asks nobody else: it is as long there", async () => {
    await using etcd = await responding({ ...rangesOf(), filler: "x".repeat(2_000) });
    await using other = await responding(rangesOf());
    await using own = clientOf(etcd.url, other.url);
    await expect(own.client.read(1_000)).rejects.toMatchObject({ isTooLong: true });
    expect(other.bodies).toEqual([]);
  });

  test("goes to the next endpoint when one refuses the connection, and stays there", async () => {
    await using etcd = await responding(rangesOf());
    await using own = clientOf(await closedUrl(), etcd.url);
    expect((await own.client.read(1_000)).revision).toBe(9);
    expect(own.client.endpoint).toBe(etcd.url);
  });

  test("goes to the next endpoint when one does not respond", async () => {
    await using silent = await server(() => {});
    await using etcd = await responding(rangesOf());
    await using own = clientOf(silent.url, etcd.url);
    const read = own.client.read(10_000);
    await eventually(() => silent.bodies.length === 1, { what: "the first one is asked" });
    await own.clock.advance(2_000);
    expect((await read).revision).toBe(9);
  });

  test("says of each endpoint why there is no response", async () => {
    await using etcd = await responding({ message: "etcdserver: request timed out", code: 14 }, 503);
    await using own = clientOf(await closedUrl(), etcd.url);
    const read = expect(own.client.read(150)).rejects.toThrow(
      /ECONNREFUSED.*; http:.*: etcdserver: request timed out$/,
    );
    await eventually(() => own.clock.nextWakeInMs === 100, { what: "it waits for the next round" });
    await own.clock.advance(100);
    await read;
  });
});

describe("a transaction", () => {
  const txn = ({ client }: ReturnType<typeof clientOf>) => client.txn({ table: 7 }, { table: "{}" }, 1_000);

  test("compares mod revisions, writes, and reads when the comparison fails", async () => {
    await using etcd = await responding(rangesOf(table));
    await using own = clientOf(etcd.url);
    expect(await txn(own)).toMatchObject({ succeeded: false, found: { revision: 9 } });
    const key = base64("/p/table");
    expect(etcd.bodies).toEqual([
      {
        compare: [{ key, target: "MOD", result: "EQUAL", mod_revision: "7" }],
        success: [{ request_put: { key, value: base64("{}") } }],
        failure: threeKeys,
      },
    ]);
  });

  test.each([
    ["a request that is malformed", { message: "illegal base64", code: 3 }, 400, "refused"],
    ["more than gRPC takes", { message: "received message larger than max", code: 8 }, 429, "refused"],
    ["one too many", { message: "etcdserver: too many requests", code: 8 }, 429, "refused"],
    // The write that meets the limit is carried out.
    ["a full disk", { message: "etcdserver: mvcc: database space exceeded", code: 8 }, 429, "full"],
    ["a time limit of etcd's", { message: "etcdserver: request timed out", code: 14 }, 503, "unclear"],
    ["something that is not etcd", "<html>", 502, "unclear"],
  ])("after %s knows whether it may have taken effect", async (_, message, status, kind) => {
    await using etcd = await responding(message, status);
    await using own = clientOf(etcd.url);
    await expect(txn(own)).rejects.toMatchObject({ kind });
  });

  test("that found no connection has not been sent; one whose connection broke may have been", async () => {
    await using broken = await server((req) => req.socket.destroy());
    await using own = clientOf(await closedUrl(), broken.url);
    await expect(txn(own)).rejects.toMatchObject({ kind: "not-sent" });
    await expect(txn(own)).rejects.toMatchObject({ kind: "unclear" });
  });

  test("whose response is too long may have taken effect", async () => {
    await using etcd = await responding({ header, filler: "x".repeat(2_000) });
    await using own = clientOf(etcd.url);
    await expect(txn(own)).rejects.toMatchObject({ kind: "unclear" });
  });
});
