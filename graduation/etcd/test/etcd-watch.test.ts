// The client's watch, against servers that send it as a gateway of etcd does, or break off.

import { describe, expect, test } from "vitest";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { base64, clientOf, header, server, table } from "./gateway.ts";

failOnLeaks();

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("a watch", () => {
  const messages = [
    { result: { header, created: true } },
    { result: { header } },
    { result: { header, events: [{ kv: table }, { type: "DELETE", kv: { key: base64("/p/write") } }] } },
    { result: { header, canceled: true, compact_revision: "8" } },
  ];

  test("hands on each message, however the bytes are cut", async () => {
    const bytes = Buffer.from(messages.map((each) => `${JSON.stringify(each)}\n`).join(""));
    await using etcd = await server(async (_, res) => {
      for (let at = 0; at < bytes.length; at += 7) {
        res.write(bytes.subarray(at, at + 7));
        await new Promise((resolve) => setImmediate(resolve));
      }
      res.end();
    });
    await using own = clientOf(etcd.url);
    const seen = await all(own.client.watch(5, new AbortController().signal));
    expect(seen.map(({ kind }) => kind)).toEqual(["created", "progress", "changes", "cancelled"]);
    expect(seen[2]).toMatchObject({ revision: 9 });
    const { changes } = seen[2] as { readonly changes: ReadonlyMap<string, unknown> };
    expect([...changes.keys()]).toEqual(["table", "write"]);
    expect(changes.get("write")).toBeUndefined();
    expect(seen[3]).toMatchObject({ compactRevision: 8 });
    expect(etcd.bodies).toMatchObject([{ create_request: { start_revision: "5" } }]);
  });

  test("does not hand on keys under the prefix that are not the store's", async () => {
    const foreign = { kv: { ...table, key: base64("/p/zz") } };
    const lines = [{ events: [foreign] }, { events: [foreign, { kv: table }] }];
    await using etcd = await server((_, res) =>
      res.end(lines.map((each) => `${JSON.stringify({ result: { header, ...each } })}\n`).join("")),
    );
    await using own = clientOf(etcd.url);
    const [first, second] = await all(own.client.watch(5, new AbortController().signal));
    expect(first).toEqual({ kind: "progress" });
    expect([...(second as { changes: ReadonlyMap<string, unknown> }).changes.keys()]).toEqual(["table"]);
  });

  test("ends with an error when the connection breaks, and the next one goes to another endpoint", async () => {
    await using etcd = await server((req, res) => {
      res.write(`${JSON.stringify(messages[0])}\n`);
      setImmediate(() => req.socket.destroy());
    });
    await using own = clientOf(etcd.url, "http://127.0.0.1:9");
    await expect(all(own.client.watch(5, new AbortController().signal))).rejects.toThrow();
    expect(own.client.endpoint).toBe("http://127.0.0.1:9");
  });
});
