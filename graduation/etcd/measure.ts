// How long a write takes on three nodes of etcd, and how soon the other control plane has it.
//
//   npx tsx graduation/etcd/measure.ts --writes 1000
//
// One writer, so no write waits for another. The clock starts before the PATCH and ends with its response; the second
// figure ends when a GET at the other control plane shows the new entity tag.

import { runCommand, UsageError, wholeNumber } from "../../scripts/command-line.ts";
import { contractRouting } from "../../shared/testkit/router-process.ts";
import { missingEngine } from "../topic.ts";
import { startEtcd } from "./cluster.ts";
import { EtcdControlPlane } from "./etcd-control-plane.ts";

const usage = `Usage: npx tsx graduation/etcd/measure.ts [flags]
  --writes N  how many, one after the other (1000)
  --help      this text`;

const options = { writes: { type: "string" } } as const;

await runCommand({ name: "measure", usage, options, flagsOnly: true }, async (values) => {
  const writes = wholeNumber("--writes", values.writes ?? "1000", 1, 1_000_000);
  const missing = missingEngine(["etcd"]);
  if (missing !== undefined) throw new UsageError(missing);
  await using etcd = await startEtcd();
  const shared = {
    endpoints: etcd.endpoints,
    routing: contractRouting(),
    token: "a-token-of-the-measurement",
  };
  await using a = await EtcdControlPlane.start(shared);
  await using b = await EtcdControlPlane.start(shared);
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
  return 0;
});
