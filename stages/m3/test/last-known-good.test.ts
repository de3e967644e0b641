import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LastKnownGood } from "../src/last-known-good.ts";

let folder: string;
let path: string;
let errors: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cell-routing-lkg-"));
  path = join(folder, "state", "last-known-good");
  errors = [];
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const open = () => new LastKnownGood(path, (error) => errors.push(error.message));
const message = (text: string) => new TextEncoder().encode(text);

describe("LastKnownGood", () => {
  test("has nothing before anything was saved, and that is no error", async () => {
    expect(await open().load()).toBeUndefined();
    expect(errors).toEqual([]);
  });

  test("gives back what was saved, byte for byte, to its owner alone", async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256);
    await open().save(bytes);
    const saved = await open().load();
    expect(Buffer.compare(Buffer.from(saved?.message ?? []), Buffer.from(bytes))).toBe(0);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(Date.now() - (saved?.savedAt.getTime() ?? 0)).toBeLessThan(60_000);
  });

  test("of many that come at once it writes the first and the last, and leaves no other file", async () => {
    const store = open();
    for (let index = 0; index < 100; index++) void store.save(message(`number ${index}`));
    await store.flushed();
    expect(await readFile(path, "utf8")).toBe("number 99");
    expect(await readdir(join(folder, "state"))).toEqual(["last-known-good"]);
  });

  test("one that comes while the last write ends is written too", async () => {
    const store = open();
    for (let index = 0; index < 20; index++) {
      await store.save(message(`first ${index}`));
      void store.save(message(`second ${index}`));
      await store.flushed();
      expect(await readFile(path, "utf8")).toBe(`second ${index}`);
    }
  });

  test("a disk that refuses is told, and the next save tries again", async () => {
    await writeFile(join(folder, "state"), "in the way");
    const store = open();
    await store.save(message("lost"));
    expect(errors).toHaveLength(1);
    await rm(join(folder, "state"));
    await store.save(message("kept"));
    expect(await readFile(path, "utf8")).toBe("kept");
  });

  test("sets a damaged file aside, over an older one", async () => {
    const store = open();
    for (const text of ["first", "second"]) {
      await store.save(message(text));
      await store.setAside();
      expect(await store.load()).toBeUndefined();
    }
    expect(await readFile(`${path}.damaged`, "utf8")).toBe("second");
    expect(errors).toEqual([]);
  });

  test.skipIf(process.platform === "win32").each<[string, () => unknown, RegExp]>([
    ["a folder", () => mkdir(path), /a folder, not a regular file/],
    ["a named pipe", () => execFileSync("mkfifo", [path]), /a named pipe, not a regular file/],
    ["a device without end", () => symlink("/dev/zero", path), /a device, not a regular file/],
    ["a file without end", () => writeFile(path, "").then(() => truncate(path, 2 ** 40)), /larger than/],
  ])("%s in its place is told and counts as nothing", async (_, put, fault) => {
    await mkdir(join(folder, "state"));
    await put();
    expect(await open().load()).toBeUndefined();
    expect(errors.join()).toMatch(fault);
    expect(errors.join()).toContain(path);
  });

  test.skipIf(process.platform === "win32")("replaces a named pipe with what it saves", async () => {
    await mkdir(join(folder, "state"));
    execFileSync("mkfifo", [path]);
    await open().save(message("kept"));
    expect(await readFile(path, "utf8")).toBe("kept");
  });

  test("removes what killed processes have left, and nothing else", async () => {
    await open().save(message("kept"));
    const names = ["last-known-good.123", "last-known-good.damaged", "control-plane-token", "other.456"];
    for (const name of names) await writeFile(join(folder, "state", name), "");
    const { mtimeMs } = await stat(join(folder, "state", "last-known-good.123"));
    // A minute on: before that, it may belong to a write that is under way.
    await open().removeLeftOvers(new Date(mtimeMs + 59_000));
    expect(await readdir(join(folder, "state"))).toContain("last-known-good.123");
    await open().removeLeftOvers(new Date(mtimeMs + 61_000));
    expect((await readdir(join(folder, "state"))).sort()).toEqual(
      ["last-known-good", ...names.slice(1)].sort(),
    );
    expect(errors).toEqual([]);
  });
});
