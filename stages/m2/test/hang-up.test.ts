// SIGHUP against a router that cannot have noticed the change by itself: a folder that was deleted and comes back is not
// watched until the next look, which is up to a second away.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "vitest";
import { expectSeenInTime, withoutMachineDelay } from "../../../shared/contract/m2/seen-in-time.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { startRouter } from "../../../shared/testkit/router-process.ts";
import { exampleDocument } from "./documents.ts";

describe("SIGHUP", () => {
  test("has the file read at once, without any sign of a change", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "config", "routing.json");
    const publish = async (version: string) => {
      await mkdir(dirname(file));
      await writeFile(file, JSON.stringify({ ...exampleDocument(), version }));
    };
    await publish("first");
    await using router = await startRouter({ stage: "m2", env: { ROUTING_FILE: file } });

    const rejections = () => router.logs().filter(({ event }) => event === "routing-rejected").length;
    const tookMs: number[] = [];
    for (let round = 0; round < 6; round++) {
      await rm(dirname(file), { recursive: true });
      await eventually(() => rejections() > round, { what: "the router misses the file" });
      await publish(`${round}`);
      const askedAt = Date.now();
      router.signal("SIGHUP");
      tookMs.push(
        await withoutMachineDelay(async () => {
          const applied = await router.waitForLog(({ version }) => version === `${round}`);
          return Date.parse(String(applied["time"])) - askedAt;
        }),
      );
    }
    expectSeenInTime(tookMs);
  });
});

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "cell-routing-hang-up-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
