// An edit by hand at every moment of a write through the API: none is lost, and whoever wrote without having seen it is
// told. Each edit is planted right before one of the store's calls.

import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { WriteResult } from "../src/control-plane/write-result.ts";
import { PlantedDisk } from "./planted-disk.ts";
import { documentOf, StoreWorld } from "./store-world.ts";

const valid = JSON.stringify(documentOf("edited"));
const invalid = '{"version": "half an ed';

/** As an editor that writes another file and renames it over this one. */
function renameOver(path: string, text: string): string {
  writeFileSync(`${path}.swp`, text);
  renameSync(`${path}.swp`, path);
  return text;
}

/** As an editor that writes into the file that it has opened. */
function inPlace(path: string, text: string): string {
  writeFileSync(path, text);
  return text;
}

/** As many bytes as there were, and the time as it was: only the content tells. */
function unseen(path: string): string {
  const before = readFileSync(path, "utf8");
  const after = before.replace('"version":"one"', '"version":"two"');
  writeFileSync(path, after);
  utimesSync(path, 1_000, 1_000);
  return after;
}

type Edit = (path: string) => string | undefined;

const edits: readonly (readonly [name: string, edit: Edit])[] = [
  ["a file renamed over it", (path) => renameOver(path, valid)],
  ["an invalid file renamed over it", (path) => renameOver(path, invalid)],
  ["new content in place", (path) => inPlace(path, valid)],
  ["invalid content in place", (path) => inPlace(path, invalid)],
  ["nothing left in place", (path) => inPlace(path, "")],
  ["its removal", (path) => void rmSync(path, { force: true })],
];

/** Runs a write with an edit planted before call `at`; undefined when there are not as many calls. */
async function editedAt(at: number, edit: Edit, disk: PlantedDisk) {
  const world = await StoreWorld.make();
  utimesSync(world.path, 1_000, 1_000);
  const store = await world.open(disk);
  await store.reread();
  let edited: string | undefined;
  let isEdited = false;
  disk.restart((_, index) => {
    if (index !== at) return;
    isEdited = true;
    edited = edit(world.path);
  });
  const result = await world.write(store);
  return { world, store, result, edited, isEdited };
}

describe.each([
  ["with hard links", true],
  ["without hard links", false],
])("%s", (_, hasLinks) => {
  test.each(edits)("%s stays, at whatever moment of a write it comes", async (_, edit) => {
    const told: WriteResult["kind"][] = [];
    for (let at = 0; ; at++) {
      const disk = new PlantedDisk({ hasLinks });
      const { world, store, result, edited, isEdited } = await editedAt(at, edit, disk);
      await using _ = world;
      if (!isEdited) break;
      const where = `before call ${at}, ${disk.calls[at]}: ${result.kind}`;
      // Between looking and renaming there is a gap that such a file system leaves open.
      if (!hasLinks && disk.calls[at] === "rename .routing.json.draft routing.json") continue;
      await store.reread();
      await store.reread();
      // One that is gone before the write has looked is brought back, and one that is away cannot be removed.
      const isBefore = (call: string) => disk.calls.includes(call) && at <= disk.calls.indexOf(call);
      const isAway =
        at > disk.calls.indexOf("rename routing.json .routing.json.old") &&
        isBefore(`${hasLinks ? "link" : "rename"} .routing.json.draft routing.json`);
      if (edited === undefined && (isBefore("read routing.json") || isAway)) continue;
      told.push(result.kind);
      expect(await world.text(), where).toBe(edited);
      // What the look at size and time has shown has not been replaced for a moment.
      if (at <= disk.calls.indexOf("rename routing.json .routing.json.old") && result.kind !== "stored")
        expect(disk.calls, where).not.toContain(`link .routing.json.draft routing.json`);
      const document = store.current().document;
      if (edited === valid) expect(document.version, where).toBe("edited");
      else expect(store.lastError(), where).not.toBeNull();
      // Whoever was told that it is stored came first, and others have seen that.
      if (result.kind === "stored" && edited === valid)
        expect(store.current().history.revision, where).toBe(3);
      expect(await world.leftOver(), where).toEqual([]);
      world.check();
    }
    // The edit came before the write, and then it came after it: in between there is no third way.
    const first = told.indexOf("stored");
    expect(first).toBeGreaterThan(3);
    expect(told.slice(first).every((kind) => kind === "stored")).toBe(true);
    expect(told.slice(0, first).every((kind) => kind === "conflict" || kind === "edited")).toBe(true);
  });
});

test("an edit of the last moment that leaves size and time as they were is seen by its content", async () => {
  const disk = new PlantedDisk();
  await using world = await StoreWorld.make();
  utimesSync(world.path, 1_000, 1_000);
  const store = await world.open(disk);
  let edited: string | undefined;
  disk.restart((call) => {
    if (call === "rename routing.json .routing.json.old") edited ??= unseen(world.path);
  });
  expect(await world.write(store)).toMatchObject({ kind: "conflict" });
  expect(edited).toBeDefined();
  expect(await world.text()).toBe(edited);
  expect(store.current().document.version).toBe("two");
  expect(await world.leftOver()).toEqual([]);
});

test("an editor that has had the file open all the while loses nothing: its file is kept, and told", async () => {
  const disk = new PlantedDisk();
  await using world = await StoreWorld.make();
  const store = await world.open(disk);
  const file = openSync(world.path, "r+");
  expect(await world.write(store)).toMatchObject({ kind: "stored" });
  ftruncateSync(file);
  writeSync(file, valid, 0);
  closeSync(file);
  await store.reread();
  expect(await world.leftOver()).toEqual(["routing.json.edited-1"]);
  expect(readFileSync(`${world.path}.edited-1`, "utf8")).toBe(valid);
  expect(world.faults.join()).toMatch(/kept in .*routing\.json\.edited-1/);
  expect(store.current().document.routingTable["acme"]).toBe("tier2");
  // What is kept once is never overwritten.
  const again = openSync(world.path, "r+");
  await world.write(store, "tier1");
  writeSync(again, "x", 0);
  closeSync(again);
  await store.reread();
  expect(await world.leftOver()).toEqual(["routing.json.edited-1", "routing.json.edited-2"]);
});

test("two edits that meet one write: the later one stays, and the earlier one is kept", async () => {
  const disk = new PlantedDisk();
  await using world = await StoreWorld.make();
  utimesSync(world.path, 1_000, 1_000);
  const store = await world.open(disk);
  const later = JSON.stringify(documentOf("later"));
  let earlier: string | undefined;
  let isLate = false;
  disk.restart((call) => {
    if (call === "rename routing.json .routing.json.old") earlier ??= unseen(world.path);
    if (isLate || call !== "read .routing.json.old") return;
    isLate = true;
    renameOver(world.path, later);
  });
  expect(await world.write(store)).toMatchObject({ kind: "conflict" });
  await store.reread();
  expect(await world.text()).toBe(later);
  expect(await world.leftOver()).toEqual(["routing.json.edited-1"]);
  expect(readFileSync(`${world.path}.edited-1`, "utf8")).toBe(earlier);
});

test("an edit on top of a content that had to leave its place again is kept", async () => {
  const disk = new PlantedDisk();
  await using world = await StoreWorld.make();
  utimesSync(world.path, 1_000, 1_000);
  const store = await world.open(disk);
  let earlier: string | undefined;
  let isLate = false;
  disk.restart((call) => {
    if (call === "rename routing.json .routing.json.old") earlier ??= unseen(world.path);
    if (isLate || call !== "read .routing.json.old") return;
    isLate = true;
    inPlace(world.path, valid);
  });
  expect(await world.write(store)).toMatchObject({ kind: "conflict" });
  await store.reread();
  expect(await world.text()).toBe(earlier);
  expect(readFileSync(`${world.path}.edited-1`, "utf8")).toBe(valid);
});

test("a symbolic link that a deployment swaps during a write leads to its new file, unchanged", async () => {
  for (let at = 0; ; at++) {
    await using world = await StoreWorld.make();
    const [old, next] = [join(world.folder, "old"), join(world.folder, "new")];
    for (const [folder, version] of [
      [old, "one"],
      [next, "edited"],
    ] as const) {
      await mkdir(folder);
      writeFileSync(join(folder, "routing.json"), JSON.stringify(documentOf(version)));
    }
    rmSync(world.path);
    symlinkSync(join(old, "routing.json"), world.path);
    const disk = new PlantedDisk();
    const store = await world.open(disk);
    const before = readFileSync(join(old, "routing.json"), "utf8");
    let isSwapped = false;
    disk.restart((_, index) => {
      if (index !== at) return;
      isSwapped = true;
      symlinkSync(join(next, "routing.json"), `${world.path}.tmp`);
      renameSync(`${world.path}.tmp`, world.path);
    });
    const result = await world.write(store);
    if (!isSwapped) break;
    await store.reread();
    await store.reread();
    const where = `before call ${at}, ${disk.calls[at]}: ${result.kind}`;
    const moves = disk.calls.indexOf("rename routing.json .routing.json.old");
    if (at < moves - 1) expect(result.kind, where).toBe("stored");
    expect(await world.text(), where).toBe(valid);
    expect(store.current().document.version, where).toBe("edited");
    if (result.kind === "conflict")
      expect(readFileSync(join(old, "routing.json"), "utf8"), where).toBe(before);
    for (const folder of [old, next]) expect(readdirSync(folder), where).toEqual(["routing.json"]);
  }
});
