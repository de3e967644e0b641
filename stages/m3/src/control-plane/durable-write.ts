// Replaces a file so that after a crash, of the program or of the machine, either the old content or the new is there.

import { dirname } from "node:path";
import type { Disk } from "./disk.ts";

/**
 * Resolves when `text` is on disk under `path`. When it rejects, the file is as it was, or has the new content for as long
 * as the machine runs. `assertOwner` may still throw. Only one caller at a time.
 */
export async function writeDurably(
  disk: Disk,
  path: string,
  text: string,
  assertOwner: () => void,
): Promise<void> {
  const draft = draftOf(path);
  try {
    await removeDraft(disk, path);
    await disk.create(draft, text, 0o600);
    assertOwner();
    disk.rename(draft, path);
  } catch (error) {
    await disk.remove(draft).catch(() => {});
    throw error;
  }
  await disk.syncFolder(dirname(path));
}

/** What a crash has left. */
export async function removeDraft(disk: Disk, path: string): Promise<void> {
  await disk.remove(draftOf(path));
}

function draftOf(path: string): string {
  return `${path}.draft`;
}
