// A server that responds as a gateway of etcd does, or as a test wants, and a client for it.

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { EtcdClient } from "../etcd-client.ts";

export const prefix = "/p/";
export const base64 = (text: string): string => Buffer.from(text).toString("base64");
export const header = { cluster_id: "17297804430150500011", revision: "9" };
export const table = { key: base64("/p/table"), value: base64("{}"), mod_revision: "7", version: "3" };

export async function server(handle: RequestListener) {
  const bodies: unknown[] = [];
  const http = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    bodies.push(JSON.parse(Buffer.concat(chunks).toString()));
    handle(req, res);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const close = () => {
    http.closeAllConnections();
    return new Promise<void>((resolve) => http.close(() => resolve()));
  };
  return { url, bodies, close, [Symbol.asyncDispose]: close };
}

export const responding = (message: unknown, status = 200) =>
  server((_, res) => res.writeHead(status).end(JSON.stringify(message)));

export function clientOf(...endpoints: string[]) {
  const clock = new FakeClock();
  const client = new EtcdClient({ endpoints, prefix, maxBytes: 1_000, clock });
  return { clock, client, [Symbol.asyncDispose]: () => client.close() };
}
