// A table of 100,000 routing keys replaces another one while requests are served. What is measured, and why, stands in
// `event-loop-probe.ts`; the test reports the figures, and the README of this stage quotes some.

import { rename, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { startCluster } from "../../../shared/testkit/cluster.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { exampleDocument, largeDocument } from "./documents.ts";

const routingKeys = 100_000;
const reloads = 3;
/** A reload is slow on purpose: it leaves the processor to the requests, and to other tests. */
const deadlineMs = 240_000;
const maxHeldUpMs = 50;

/** Every request is in the log too: looking through it all the time would cost more than what is measured. */
const calmly = { everyMs: 50, deadlineMs };

describe.skipIf(process.threadCpuUsage === undefined)("a table of 100,000 routing keys", () => {
  test(
    "is taken in without holding up the event loop for 50 ms",
    async ({ annotate }) => {
      const probe = new URL("./event-loop-probe.ts", import.meta.url).href;
      await using cluster = await startCluster({ stage: "m2", env: { NODE_OPTIONS: `--import=${probe}` } });
      const { router } = cluster;
      const placements = Object.fromEntries(
        Object.entries(exampleDocument().placements).map(([name, { kind }]) => {
          return [name, { kind, url: cluster.cell(name).url }];
        }),
      );

      let done = false;
      let failed = 0;
      const asking = (async () => {
        await using client = await RawClient.connect(cluster.url);
        const request = "GET / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n";
        while (!done) if ((await client.request(request)).status !== 200) failed += 1;
      })();

      const probed = () => router.logs().filter(({ event }) => event === "event-loop");
      const measured = async () => {
        const before = probed().length;
        router.signal("SIGUSR2");
        return await eventually(() => probed()[before], { what: "the probe answers", ...calmly });
      };
      const figures: unknown[] = [];
      try {
        for (let reload = 0; reload < reloads; reload++) {
          const document = { ...largeDocument(routingKeys, `large-${reload}`), placements };
          await writeFile(`${router.directory}/next.json`, JSON.stringify(document, null, 2));
          await measured();
          const startedAt = performance.now();
          await rename(`${router.directory}/next.json`, `${router.directory}/routing.json`);
          const applied = () => router.logs().findLast(({ version }) => version === document.version);
          await eventually(applied, { what: "the large table is in use", ...calmly });
          const reloadMs = performance.now() - startedAt;
          const { busiestMs, longestDelayMs } = await measured();
          figures.push({ reloadMs, busiestMs, longestDelayMs });
          expect(busiestMs, "processor time in one stretch").toBeLessThan(maxHeldUpMs);
        }
      } finally {
        done = true;
        await asking;
      }
      await annotate(`${routingKeys} routing keys: ${JSON.stringify(figures)}`);
      expect(failed).toBe(0);
    },
    deadlineMs,
  );
});
