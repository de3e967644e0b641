// What the store asks of the file system, call by call: between any two of them a test can put a fault, a crash, or the
// edit of another program. Owns no order; that is the callers' business.

import { type BigIntStats, linkSync, readlinkSync, realpathSync, renameSync, statSync } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { readRegularFile } from "../regular-file.ts";

export interface FileContent {
  readonly bytes: Buffer;
  /** From before the bytes were read: after a change in between, they are not those of what was read. */
  readonly stats: BigIntStats;
}

export interface Disk {
  read(path: string, maxBytes: number): Promise<FileContent>;
  /** Makes a file, which must not be there yet, and resolves when its content is on disk. `as` is a mode, or a file to be like. */
  create(path: string, text: string, as: number | BigIntStats): Promise<void>;
  /** Resolves when the entries of a folder are on disk: until then a power cut brings back what a name led to before. */
  syncFolder(path: string): Promise<void>;
  /** Does nothing when there is no such file. */
  remove(path: string): Promise<void>;
  // The rest is done when it returns, so that nothing of this process runs between two calls.
  /** Where a path leads, all symbolic links followed; the last part need not exist. */
  follow(path: string): string;
  stats(path: string): BigIntStats;
  rename(from: string, to: string): void;
  /** A second name for a file. Fails if there is something by that name already. */
  link(from: string, to: string): void;
}

export const systemDisk: Disk = {
  read: async (path, maxBytes) => {
    const stats = await stat(path, { bigint: true });
    return { bytes: (await readRegularFile(path, maxBytes)).bytes, stats };
  },
  create: async (path, text, as) => {
    // "wx": whatever lies there is not written into, and a symbolic link not followed.
    await using file = await open(path, "wx", typeof as === "number" ? as : 0o600);
    await file.writeFile(text);
    if (typeof as !== "number") await makeLike(file, as);
    await file.sync();
  },
  syncFolder: async (path) => {
    try {
      await using folder = await open(path, "r");
      await folder.sync();
    } catch (error) {
      // Windows opens no folders; its file system keeps renames in order by itself.
      if (process.platform !== "win32") throw error;
    }
  },
  remove: (path) => rm(path, { force: true }),
  follow: (path) => follow(path),
  stats: (path) => statSync(path, { bigint: true }),
  rename: renameSync,
  link: linkSync,
};

/** Keeps who may read and write a file. Only a superuser may change its owner, so that call may fail. */
async function makeLike(file: FileHandle, { mode, uid, gid }: BigIntStats): Promise<void> {
  await file.chown(Number(uid), Number(gid)).catch(() => {});
  await file.chmod(Number(mode & 0o7777n));
}

/** The kernel gives up at 40 links as well. */
function follow(path: string, links = 40): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || links === 0) throw error;
  }
  let target: string;
  try {
    target = readlinkSync(path);
  } catch {
    return resolve(path);
  }
  return follow(resolve(dirname(path), target), links - 1);
}

/** Undefined when there is no such file. */
export function statsOf(disk: Disk, path: string): BigIntStats | undefined {
  try {
    return disk.stats(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
