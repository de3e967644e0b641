// The newest snapshot that this router applied, kept on disk as the message that brought it: with it a router starts
// while its control plane is down. Owns the file and its safe replacement. To find out whether the content is valid, it is
// read as if it had just arrived. A disk that fails costs the next start its table, never a request.

import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { readRegularFile } from "./regular-file.ts";

export interface SavedMessage {
  readonly message: Uint8Array;
  readonly savedAt: Date;
}

/** Younger ones may belong to a write that is under way, of another router with the same folder. In milliseconds. */
const leftOverAfterMs = 60_000;

// #region last-known-good
export class LastKnownGood {
  readonly #path: string;
  readonly #onError: (error: Error) => void;
  readonly #maxBytes: number;
  #waiting: Uint8Array | undefined;
  #writing: Promise<void> | undefined;

  /** `onError` hears of everything that the disk refuses. A larger file than `maxBytes` is no saved message. */
  constructor(path: string, onError: (error: Error) => void, maxBytes = 32 * 1024 * 1024) {
    this.#path = path;
    this.#onError = onError;
    this.#maxBytes = maxBytes;
  }

  /** The saved message, or undefined when there is none that can be read. Never rejects. */
  async load(): Promise<SavedMessage | undefined> {
    try {
      const { bytes, modifiedAt } = await readRegularFile(this.#path, this.#maxBytes);
      return { message: bytes, savedAt: modifiedAt };
    } catch (error) {
      if (!isMissing(error)) this.#tell(error);
      return undefined;
    }
  }

  /** Removes the temporary files of processes that were killed while they wrote. Never rejects. */
  async removeLeftOvers(today: Date): Promise<void> {
    const folder = dirname(this.#path);
    try {
      for (const name of await readdir(folder)) {
        // As `write-file-atomic` calls them.
        if (!name.startsWith(`${basename(this.#path)}.`) || !/\.\d+$/.test(name)) continue;
        const { mtimeMs } = await stat(join(folder, name));
        if (today.getTime() - mtimeMs > leftOverAfterMs) await rm(join(folder, name), { force: true });
      }
    } catch (error) {
      if (!isMissing(error)) this.#tell(error);
    }
  }

  /** Moves a damaged file out of the way: the next start must not trip over it, and somebody may want to see it. */
  async setAside(): Promise<void> {
    await rename(this.#path, `${this.#path}.damaged`).catch((error: unknown) => this.#tell(error));
  }

  /**
   * Writes `message` when the write before it is done, and resolves when nothing waits any more. Of several that wait,
   * only the newest is written. Never rejects.
   */
  save(message: Uint8Array): Promise<void> {
    this.#waiting = message;
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  /** Resolves when everything that was given to `save` is on disk, or has failed. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
      this.#waiting = undefined;
      try {
        await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
        // A temporary file beside it, fsync, rename: a crash leaves the old file or the new one, whole.
        await writeFileAtomic(this.#path, Buffer.from(next), { mode: 0o600 });
      } catch (error) {
        this.#tell(error);
      }
    }
    // In the same turn as the last look: a snapshot that comes now starts writing anew.
    this.#writing = undefined;
  }

  #tell(error: unknown): void {
    this.#onError(error instanceof Error ? error : new Error(String(error)));
  }
}
// #endregion last-known-good

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
