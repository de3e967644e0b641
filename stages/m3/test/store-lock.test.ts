// One store, one owner: whoever comes second is refused with the first one's name, a dead owner is none, and one that has
// lost its store finds out.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OwnerLost, StoreError, StoreLock } from "../src/control-plane/store-lock.ts";

let folder: string;
const held: StoreLock[] = [];

const file = (name = "routing.json") => join(folder, name);
const state = (name = "state") => join(folder, name);

async function take(routingFile = file(), stateDir = state(), owner = "the first one"): Promise<StoreLock> {
  const lock = await StoreLock.take(routingFile, stateDir, owner);
  held.push(lock);
  return lock;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cell-routing-lock-"));
  await writeFile(file(), "{}");
});

afterEach(async () => {
  for (const lock of held.splice(0)) lock.release();
  await rm(folder, { recursive: true, force: true });
});

test("a second owner is refused, and told which store and whose", async () => {
  await take();
  const second = take(file(), state(), "the second one");
  await expect(second).rejects.toThrow(StoreError);
  await expect(second).rejects.toThrow(`The store ${file()} with its history in ${state()} is in use`);
  await expect(second).rejects.toThrow("by another control plane, the first one");
});

test("a store is its file and its history: one of them in common is enough", async () => {
  await take();
  await writeFile(file("other.json"), "{}");
  await expect(take(file("other.json"))).rejects.toThrow(/history in .* is in use/);
  await expect(take(file(), state("other"))).rejects.toThrow(/routing\.json is in use/);
  await symlink(file(), file("link.json"));
  await expect(take(file("link.json"), state("other"))).rejects.toThrow(/link\.json is in use/);
  // What was locked on the way to a refusal is free again.
  await take(file("other.json"), state("other"));
});

test("a released lock, and one whose process was killed, are free", async () => {
  const first = await take();
  first.release();
  held.length = 0;
  const holder = spawn(process.execPath, [
    "--input-type=module",
    "-e",
    `import { StoreLock } from ${JSON.stringify(fileURLToPath(new URL("../src/control-plane/store-lock.ts", import.meta.url)))};
     globalThis.lock = await StoreLock.take(${JSON.stringify(file())}, ${JSON.stringify(state())}, "the child");
     setInterval(() => {}, 1000);
     console.log("held");`,
  ]);
  await once(holder.stdout, "data");
  await expect(take()).rejects.toThrow(/, the child$/);
  // Standing still is not being dead.
  holder.kill("SIGSTOP");
  await expect(take()).rejects.toThrow(/, the child$/);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  await take();
});

test.each([
  ["removed", async () => await rm(join(state(), "control-plane.lock"))],
  ["gone with its folder", async () => await rm(state(), { recursive: true })],
  [
    "replaced",
    async () => {
      await rm(join(state(), "control-plane.lock"));
      await writeFile(join(state(), "control-plane.lock"), "");
    },
  ],
])("an owner whose lock was %s owns nothing any more", async (_, lose) => {
  const lock = await take();
  lock.assertOwner();
  await lose();
  expect(() => lock.assertOwner()).toThrow(OwnerLost);
  // Half of the store is still locked: the next one starts when this one has stopped, and not before.
  await expect(take()).rejects.toThrow(/in use/);
  expect(() => lock.assertOwner()).toThrow(OwnerLost);
  lock.release();
  held.length = 0;
  await take(file(), state(), "the next one");
});

test("the lock beside the file is taken again when somebody has tidied it away", async () => {
  const lock = await take();
  await rm(join(folder, ".routing.json.lock"));
  lock.assertOwner();
  await expect(take(file(), state("other"))).rejects.toThrow(/in use/);
});

test("a file that moves to another folder takes its lock with it", async () => {
  for (const name of ["old", "new"]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "routing.json"), "{}");
  }
  await symlink(join(folder, "old"), join(folder, "current"));
  const path = join(folder, "current", "routing.json");
  const lock = await take(path);
  await rm(join(folder, "current"));
  await symlink(join(folder, "new"), join(folder, "current"));
  await rm(join(folder, "old"), { recursive: true });
  lock.assertOwner();
  await expect(take(join(folder, "new", "routing.json"), state("other"))).rejects.toThrow(/is in use/);
  // Somebody else was there first.
  await mkdir(join(folder, "old"));
  await writeFile(join(folder, "old", "routing.json"), "{}");
  await take(join(folder, "old", "routing.json"), state("other"), "somebody else");
  await rm(join(folder, "current"));
  await symlink(join(folder, "old"), join(folder, "current"));
  expect(() => lock.assertOwner()).toThrow(OwnerLost);
  expect(() => lock.assertOwner()).toThrow(/somebody else/);
});

// The superuser may write everywhere.
test.skipIf(process.getuid?.() === 0)("a file that nobody can replace needs no lock beside it", async () => {
  await mkdir(join(folder, "mounted"));
  await writeFile(join(folder, "mounted", "routing.json"), "{}");
  await chmod(join(folder, "mounted"), 0o500);
  const lock = await take(join(folder, "mounted", "routing.json"));
  lock.assertOwner();
});

test("a folder that cannot be locked is named", async () => {
  await writeFile(state(), "in the way");
  await expect(take()).rejects.toThrow(/EEXIST|ENOTDIR/);
  await rm(state());
  await mkdir(join(state(), "control-plane.lock"), { recursive: true });
  await expect(take()).rejects.toThrow(/Cannot lock the store .*control-plane\.lock/);
});
