// A fault planted for the check itself: a proxy that of every few transactions says "done" to one that it has thrown away. A
// control plane behind it does what a wrong one would do on its own: it responds 200 before etcd has confirmed the write.

import type { ServerResponse } from "node:http";
import { type EtcdProxy, isWrite, startEtcdProxy } from "./etcd-proxy.ts";

/** One of how many transactions is thrown away. */
const lieEvery = 5;

export function startLyingEtcd(nodeUrl: string): Promise<EtcdProxy> {
  let transactions = 0;
  return startEtcdProxy(nodeUrl, async (path, res, body) => {
    if (!isWrite(path, body) || ++transactions % lieEvery !== 0) return false;
    await lie(nodeUrl, res);
    return true;
  });
}

/** What etcd would say of a transaction that succeeded. */
async function lie(nodeUrl: string, res: ServerResponse): Promise<void> {
  const status = await fetch(`${nodeUrl}/v3/maintenance/status`, { method: "POST", body: "{}" });
  const { header } = (await status.json()) as { readonly header: { readonly revision: string } };
  const revision = String(Number(header.revision) + 1);
  res.end(JSON.stringify({ header: { ...header, revision }, succeeded: true }));
}
