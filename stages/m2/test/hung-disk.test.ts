// A routing file on a mount that hangs. The system never answers, and what waits for it is a thread of the process: neither the
// requests nor the end of the process may wait with it.

import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCluster } from "../../../shared/testkit/cluster.ts";

test.skipIf(process.platform === "win32")(
  "serves on, and ends on SIGTERM, while the disk hangs",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "cell-routing-hung-"));
    try {
      const pipe = join(folder, "pipe");
      execFileSync("mkfifo", [pipe]);
      const probe = new URL("./hung-disk-probe.ts", import.meta.url).href;
      const env = { NODE_OPTIONS: `--import=${probe}`, HUNG_PIPE: pipe };
      await using cluster = await startCluster({ stage: "m2", env });
      const { router } = cluster;
      router.signal("SIGUSR2");
      await router.waitForLog(({ event }) => event === "hangs");
      await cluster.expectServedBy("acme", "tier1");
      router.signal("SIGTERM");
      expect(await router.exited()).toEqual({ code: 0, signal: null });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
