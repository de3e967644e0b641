// How long a write takes on three nodes of etcd, and how soon the other control plane has it.
//
//   npx tsx graduation/etcd/measure.ts [WRITES]      1000 writes, one after the other
//
// One writer, so no write waits for another. The clock starts before the PATCH and ends with its response; the second
// figure ends when a GET at the other control plane shows the new entity tag.

import { contractRouting } from "../../shared/testkit/router-process.ts";
import { startEtcd } from "./cluster.ts";
import { EtcdControlPlane } from "./etcd-control-plane.ts";

const writes = Number(process.argv[2] ?? 1_000);
await using etcd = await startEtcd();
const options = {
  endpoints: etcd.endpoints,
  routing: contractRouting(),
  token: "a-token-of-the-measurement",
};
await using a = await EtcdControlPlane.start(options);
await using b = await EtcdControlPlane.start(options);
const stored: number[] = [];
const arrived: number[] = [];
for (let index = 0; index < writes; index++) {
  const startedAt = performance.now();
  const { status, etag } = await a.patch("acme", index % 2 === 0 ? "tier2" : "tier1", "*");
  if (status !== 200) throw new Error(`write ${index} got ${status}`);
  stored.push(performance.now() - startedAt);
  while ((await b.etag()) !== etag);
  arrived.push(performance.now() - startedAt);
}
for (const [what, times] of Object.entries({ "stored, ms": stored, "at the other, ms": arrived })) {
  const sorted = times.toSorted((one, other) => one - other);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => sorted[Math.ceil(share * writes) - 1]?.toFixed(1));
  console.log(`${what.padEnd(17)} p50 ${p50}  p99 ${p99}  max ${max}`);
}
