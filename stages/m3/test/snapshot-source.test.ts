// What must not hold a router up: a state folder on a mount that hangs, and a table that takes its time.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, test, vi } from "vitest";
import { ScriptedControlPlane } from "../../../shared/contract/m3/scripted-control-plane.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import type { FileSource } from "../src/file-source.ts";
import { SnapshotSource } from "../src/snapshot-source.ts";
import { TableStore } from "../src/table-store.ts";

const hold = vi.hoisted(() => ({
  folder: undefined as Promise<never> | undefined,
  decoding: Promise.withResolvers<void>(),
}));

vi.mock(import("node:fs/promises"), async (original) => {
  const files = await original();
  const readdir = (path: string) => hold.folder ?? files.readdir(path);
  return { ...files, readdir: readdir as typeof files.readdir };
});

vi.mock(import("../src/table-decoder.ts"), async (original) => ({
  ...(await original()),
  decodeTableOffloaded: (_, signal) => {
    hold.decoding.resolve();
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  },
}));

async function openSource(url: string) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const bootstrap = { start: vi.fn(async () => {}), close: async () => {} };
  const stateDir = await mkdtemp(join(tmpdir(), "cell-routing-state-"));
  const source = new SnapshotSource({
    urls: [url],
    stateDir,
    tokenFile: join(stateDir, "control-plane-token"),
    token: "a-token",
    routerId: "a-router",
    maxMessageBytes: 1024 * 1024,
    bootstrap: bootstrap as unknown as FileSource,
    store: new TableStore(),
    logger: pino({}, { write: (line: string) => void lines.push(line) }),
    clock,
    random: () => 0.5,
    wallClock: () => new Date(0),
  });
  const remove = () => rm(stateDir, { recursive: true });
  return { source, clock, lines, bootstrap, [Symbol.asyncDispose]: remove };
}

test("starts with the bootstrap file when the state folder hangs", async () => {
  const mount = Promise.withResolvers<never>();
  hold.folder = mount.promise;
  await using opened = await openSource("ws://127.0.0.1:9/v1/connect");
  const { source, clock, lines, bootstrap } = opened;
  const started = source.start();
  await clock.advance(5_000);
  await started;
  expect(bootstrap.start).toHaveBeenCalledOnce();
  expect(lines.join("")).toContain("the file system has not answered within 5000 ms");
  mount.reject(new Error("The mount is gone"));
  hold.folder = undefined;
  await source.close();
});

test("stops at once while a large table is being validated, and refuses nothing", async () => {
  await using controlPlane = await ScriptedControlPlane.listen();
  await using opened = await openSource(controlPlane.url);
  const { source, lines } = opened;
  await source.start();
  const link = await controlPlane.nextLink();
  link.sendSnapshot({ epoch: "one", revision: 1 }, { padding: "x".repeat(100_000) });
  await hold.decoding.promise;
  await source.close();
  expect(await link.closed).toEqual({ code: 1001, reason: "The router stops" });
  expect(lines.join("")).not.toContain("refused");
});
