// A fault planted for the check itself: stands between the control planes and a node of etcd, passes everything on, and of
// every few transactions says "done" to one that it has thrown away. A control plane behind it does what a wrong one would do
// on its own: it responds 200 before etcd has confirmed the write.

import { once } from "node:events";
import { createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** Every one of how many transactions is thrown away. */
const lieEvery = 5;

export interface LyingEtcd extends AsyncDisposable {
  readonly url: string;
}

export async function startLyingEtcd(nodeUrl: string): Promise<LyingEtcd> {
  let transactions = 0;
  const server = createServer((req, res) => {
    const answer = async (): Promise<void> => {
      const body = await text(req);
      const isLie = req.url === "/v3/kv/txn" && ++transactions % lieEvery === 0;
      if (isLie) await lie(nodeUrl, res);
      else await passOn(`${nodeUrl}${req.url}`, body, res);
    };
    // The node is gone, or the control plane: either is told by the connection.
    answer().catch(() => res.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

async function passOn(url: string, body: string, res: ServerResponse): Promise<void> {
  const outgoing = request(url, { method: "POST", agent: false });
  res.once("close", () => outgoing.destroy());
  outgoing.end(body);
  const [incoming] = await once(outgoing, "response");
  res.writeHead(incoming.statusCode, { "Content-Type": "application/json" });
  // A watch sends its head first, and events much later.
  res.flushHeaders();
  await pipeline(incoming, res);
}

/** What etcd would say of a transaction that succeeded. */
async function lie(nodeUrl: string, res: ServerResponse): Promise<void> {
  const status = await fetch(`${nodeUrl}/v3/maintenance/status`, { method: "POST", body: "{}" });
  const { header } = (await status.json()) as { readonly header: { readonly revision: string } };
  const revision = String(Number(header.revision) + 1);
  res.end(JSON.stringify({ header: { ...header, revision }, succeeded: true }));
}
