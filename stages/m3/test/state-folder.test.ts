// A state folder in which other things stand where the saved snapshot and the token should be: a router starts without them,
// says so, and ends as it should.

import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startCluster } from "../../../shared/testkit/cluster.ts";

const things: readonly (readonly [string, (path: string) => unknown])[] = [
  ["named pipes", (path) => execFileSync("mkfifo", [path])],
  ["devices without end", (path) => symlink("/dev/zero", path)],
];

describe.skipIf(process.platform === "win32")("a state folder", () => {
  test.each(things)("with %s in it costs a router nothing but what they should hold", async (_, put) => {
    const stateDir = await mkdtemp(join(tmpdir(), "cell-routing-state-"));
    try {
      await put(join(stateDir, "last-known-good"));
      await put(join(stateDir, "control-plane-token"));
      const env = { STATE_DIR: stateDir, CONTROL_PLANE_URL: "ws://127.0.0.1:9" };
      await using cluster = await startCluster({ stage: "m3", env });
      const { router } = cluster;
      await cluster.expectServedBy("acme", "tier1");
      const notRegular = (event: string) =>
        router.waitForLog(
          (line) => line["event"] === event && String(line["cause"]).includes("not a regular file"),
        );
      await notRegular("last-known-good-failed");
      await notRegular("token-unreadable");
      router.signal("SIGTERM");
      expect(await router.exited()).toEqual({ code: 0, signal: null });
    } finally {
      await rm(stateDir, { recursive: true, force: true });
    }
  });
});
