// A router's state folder on a mount that hangs: the router starts with its bootstrap file, once its patience is over.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, test, vi } from "vitest";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import type { FileSource } from "../src/file-source.ts";
import { SnapshotSource } from "../src/snapshot-source.ts";
import { TableStore } from "../src/table-store.ts";

const mount = vi.hoisted(() => Promise.withResolvers<never>());

vi.mock(import("node:fs/promises"), async (original) => ({
  ...(await original()),
  readdir: () => mount.promise,
}));

test("starts with the bootstrap file when the state folder hangs", async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const bootstrap = { start: vi.fn(async () => {}), close: async () => {} };
  const stateDir = await mkdtemp(join(tmpdir(), "cell-routing-state-"));
  const source = new SnapshotSource({
    urls: ["ws://127.0.0.1:9/v1/connect"],
    stateDir,
    tokenFile: join(stateDir, "control-plane-token"),
    token: "a-token",
    routerId: "a-router",
    maxMessageBytes: 1024,
    bootstrap: bootstrap as unknown as FileSource,
    store: new TableStore(),
    logger: pino({}, { write: (line: string) => void lines.push(line) }),
    clock,
    random: () => 0.5,
    wallClock: () => new Date(0),
  });
  const started = source.start();
  await clock.advance(5_000);
  await started;
  expect(bootstrap.start).toHaveBeenCalledOnce();
  expect(lines.join("")).toContain("the file system has not answered within 5000 ms");
  mount.reject(new Error("The mount is gone"));
  await source.close();
  await rm(stateDir, { recursive: true });
});
