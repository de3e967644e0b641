import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { readRegularFile, withDeadline } from "../src/regular-file.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cell-routing-file-"));
  path = join(folder, "file");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const isWindows = process.platform === "win32";

describe("readRegularFile", () => {
  failOnLeaks();

  test.each([0, 1, 99, 100])("reads a file of %i bytes where 100 are the most", async (bytes) => {
    await writeFile(path, "x".repeat(bytes));
    const before = Date.now() - 60_000;
    const file = await readRegularFile(path, 100);
    expect(file.bytes.toString()).toBe("x".repeat(bytes));
    expect(file.modifiedAt.getTime()).toBeGreaterThan(before);
  });

  test("reads a file of many pieces", async () => {
    const content = Buffer.alloc(3_000_000, "0123456789");
    await writeFile(path, content);
    expect((await readRegularFile(path, 3_000_000)).bytes.equals(content)).toBe(true);
  });

  test.skipIf(process.platform !== "linux")("reads a file that does not say how large it is", async () => {
    const { bytes } = await readRegularFile("/proc/self/status", 100_000);
    expect(bytes.toString()).toContain("VmRSS");
  });

  test("follows a link", async () => {
    await writeFile(join(folder, "real"), "content");
    await symlink("real", path);
    expect((await readRegularFile(path, 100)).bytes.toString()).toBe("content");
  });

  test.each<[string, () => unknown, RegExp]>([
    ["nothing", () => {}, /ENOENT/],
    ["a folder", () => mkdir(path), /^a folder, not a regular file/],
    ["a link to itself", () => symlink("file", path), /ELOOP/],
    ["a file that is too large", () => writeFile(path, "x".repeat(101)), /^larger than 100 bytes/],
    [
      "a file without end",
      () => writeFile(path, "x").then(() => truncate(path, 2 ** 40)),
      /^larger than 100 bytes/,
    ],
  ])("refuses %s, by name", async (_, put, fault) => {
    await put();
    const reading = readRegularFile(path, 100);
    await expect(reading).rejects.toThrow(fault);
    await expect(reading).rejects.toThrow(path);
  });

  test.skipIf(isWindows).each<[string, () => unknown, RegExp]>([
    ["a named pipe", () => execFileSync("mkfifo", [path]), /^a named pipe, not a regular file/],
    ["a device", () => symlink("/dev/zero", path), /^a device, not a regular file/],
  ])("refuses %s without waiting for it", async (_, put, fault) => {
    await put();
    await expect(readRegularFile(path, 100)).rejects.toThrow(fault);
  });

  test.skipIf(isWindows)("refuses a socket", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await expect(readRegularFile(path, 100)).rejects.toThrow(/socket/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.skipIf(isWindows || process.getuid?.() === 0)("refuses a file that it may not read", async () => {
    await writeFile(path, "secret");
    await chmod(path, 0o000);
    await expect(readRegularFile(path, 100)).rejects.toThrow(/EACCES/);
  });

  test("stops at the bound of a file that grows while it is read", async () => {
    await writeFile(path, "x".repeat(100));
    let isGrowing = true;
    const growing = (async () => {
      while (isGrowing) await writeFile(path, "x".repeat(10_000), { flag: "a" });
    })();
    try {
      // It may catch up with the end for a moment; the second time there is more than enough.
      const twice = readRegularFile(path, 1_000_000).then(() => readRegularFile(path, 50));
      await expect(twice).rejects.toThrow(/larger/);
    } finally {
      isGrowing = false;
      await growing;
    }
  });
});

describe("withDeadline", () => {
  test("hands on what comes in time, and what fails", async () => {
    const clock = new FakeClock();
    expect(await withDeadline(async () => "content", 5_000, clock)()).toBe("content");
    const failing = withDeadline(() => Promise.reject(new Error("EIO")), 5_000, clock);
    await expect(failing()).rejects.toThrow("EIO");
    expect(clock.sleeping).toBe(0);
  });

  test("gives up after the deadline, and does not begin again while the first one hangs", async () => {
    const clock = new FakeClock();
    const operation = Promise.withResolvers<string>();
    let begun = 0;
    const look = withDeadline(
      () => {
        begun += 1;
        return operation.promise;
      },
      5_000,
      clock,
    );
    for (let attempt = 0; attempt < 3; attempt++) {
      const refused = expect(look()).rejects.toThrow("has not answered within 5000 ms");
      await clock.advance(5_000);
      await refused;
    }
    expect(begun).toBe(1);
    // It answers after all: the look that waits gets that, and the next one begins anew.
    const late = look();
    operation.resolve("late");
    expect(await late).toBe("late");
    await look();
    expect(begun).toBe(2);
  });

  test("stops waiting when it is told to, although the operation hangs", async () => {
    const operation = Promise.withResolvers<string>();
    const stop = new AbortController();
    const look = withDeadline(() => operation.promise, 5_000, new FakeClock())(stop.signal);
    stop.abort();
    await expect(look).rejects.toMatchObject({ name: "AbortError" });
    operation.resolve("");
  });
});
