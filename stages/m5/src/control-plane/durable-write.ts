// Replaces a file so that after a crash, of the program or of the machine, either the old content or the new is there.

import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";

/** Resolves when `text` is on disk under `path`. Without `mode`, the file keeps the one that it has. */
export async function writeDurably(path: string, text: string, mode?: number): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A temporary file beside it, fsync, rename.
  await writeFileAtomic(path, text, mode === undefined ? {} : { mode });
  await syncFolder(folder);
}

/** The new name is an entry of the folder: until that is on disk, a power cut brings the old file back. */
async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, "r");
    await handle.sync();
  } catch (error) {
    // Windows opens no folders; its file system keeps renames in order by itself.
    if (process.platform !== "win32") throw error;
  }
}
