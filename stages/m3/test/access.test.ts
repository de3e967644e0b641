import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readOrMakeToken } from "../src/control-plane/access.ts";

let folder: string;
const path = () => join(folder, "state", "control-plane-token");

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cell-routing-token-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test("makes a token for its owner alone, once, and leaves nothing else", async () => {
  const token = await readOrMakeToken(path());
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(await readOrMakeToken(path())).toBe(token);
  expect((await stat(path())).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder, "state"))).toEqual(["control-plane-token"]);
});

test.each([
  ["empty", ""],
  ["blank", " \n"],
])("a file that is %s gets a token", async (_, content) => {
  await mkdir(join(folder, "state"));
  await writeFile(path(), content);
  // What a process has left that was killed in the middle.
  await writeFile(`${path()}.draft`, "half a tok");
  const token = await readOrMakeToken(path());
  expect((await readFile(path(), "utf8")).trim()).toBe(token);
  expect((await stat(path())).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder, "state"))).toEqual(["control-plane-token"]);
});

test.each<[string, RegExp, () => Promise<unknown>]>([
  ["a folder", /Cannot read the token: .*control-plane-token/, () => mkdir(path(), { recursive: true })],
  ["too short", /No token of 16 or more/, () => writeFile(path(), "short", { mode: 0o600 })],
  [
    "open to others",
    /chmod 600 .*control-plane-token/,
    async () => {
      await writeFile(path(), "a-token-that-is-long-enough");
      await chmod(path(), 0o644);
    },
  ],
])("what is %s is named, and left as it is", async (_, words, make) => {
  await mkdir(join(folder, "state"));
  await make();
  await expect(readOrMakeToken(path())).rejects.toThrow(words);
});
