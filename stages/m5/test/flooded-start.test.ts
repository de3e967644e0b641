// Workers that start while the control plane never stops sending tables: each of them is told every table, and must still
// come to listen.

import { expect, test } from "vitest";
import { ScriptedControlPlane, snapshotText } from "../../../shared/contract/m3/scripted-control-plane.ts";
import { Traffic } from "../../../shared/contract/m3/traffic.ts";
import { startCluster } from "../../../shared/testkit/cluster.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { contractRouting } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

test.each([1_500, 50_000])(
  "two workers start and serve while tables of %d keys come without a pause",
  { timeout: 120_000 },
  async (keys) => {
    await using controlPlane = await ScriptedControlPlane.listen();
    const stop = new AbortController();
    let table: object = {};
    let revision = 0;
    const next = () =>
      snapshotText({ epoch: "flood", revision: ++revision }, { ...table, version: `f${revision}` });
    const flooding = controlPlane.nextLink().then((link) => link.flood(next, stop.signal));
    const routingTable = Object.fromEntries(
      Array.from({ length: keys }, (_, key) => [`tenant-${key}`, "tier1"]),
    );
    await using cluster = await startCluster({
      stage: "m5",
      env: { WORKERS: "2", CONTROL_PLANE_URL: controlPlane.url, CONTROL_PLANE_TOKEN: "the-token-of-nobody" },
      readyDeadlineMs: 60_000,
      routingFrom: (urls) => {
        const document = contractRouting(urls) as { routingTable: object };
        table = { ...document, routingTable: { ...document.routingTable, ...routingTable } };
        return document;
      },
    });
    await using traffic = new Traffic(cluster.router.url);
    await traffic.expectUntouched();
    stop.abort();
    await flooding;
    expect(cluster.router.exitStatus).toBeUndefined();
  },
);
