// Stands between the control planes and one node of etcd, and passes requests of the JSON gateway on. `intercept` may keep one.

import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

export interface EtcdProxy extends AsyncDisposable {
  readonly url: string;
}

/** Resolves with true when it has responded itself. */
export type Intercept = (path: string, res: ServerResponse, body: string) => Promise<boolean>;

/** A read of the store's is a transaction, too, but one that puts nothing. */
export function isWrite(path: string, body: string): boolean {
  return path === "/v3/kv/txn" && body.includes('"request_put"');
}

export async function startEtcdProxy(nodeUrl: string, intercept: Intercept): Promise<EtcdProxy> {
  const server = createServer((req, res) => {
    const respond = async (): Promise<void> => {
      const body = await text(req);
      const path = req.url ?? "/";
      if (!(await intercept(path, res, body))) await passOn(`${nodeUrl}${path}`, body, res);
    };
    // The node is gone, or the control plane: the other one is told by the end of its connection.
    respond().catch(() => res.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server.close(), "close");
      server.closeAllConnections();
      await closed;
    },
  };
}

async function passOn(url: string, body: string, res: ServerResponse): Promise<void> {
  const outgoing = request(url, { method: "POST", agent: false });
  res.once("close", () => outgoing.destroy());
  outgoing.end(body);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  res.writeHead(incoming.statusCode ?? 502, { "Content-Type": "application/json" });
  // A watch sends its head first, and events much later.
  res.flushHeaders();
  await pipeline(incoming, res);
}
