// The routing file, which people and programs may edit at any moment, also while the store replaces it. No call of the file
// system replaces a file only if it is still the one that was read: so the old file is moved aside, looked at, and put
// back if it is another one. Owns that order; the files beside it are `transitional-files.ts`'s.

import type { BigIntStats } from "node:fs";
import { dirname } from "node:path";
import { codeOf, type Disk, type FileContent, statsOf } from "./disk.ts";
import { TransitionalFiles } from "./transitional-files.ts";

/** The file has the new content, and the disk did not confirm it: a power cut may bring the old one back. */
export class OutcomeUnknown extends Error {
  override readonly name = "OutcomeUnknown";
}

/** What `read` found, and where. Without `content` there was no file. */
interface Seen {
  readonly files: TransitionalFiles;
  readonly content?: FileContent;
}

export class RoutingFile {
  readonly #path: string;
  readonly #disk: Disk;
  readonly #maxBytes: number;
  readonly #onKept: (path: string) => void;
  #seen: Seen | undefined;
  /** An old file that could not be put back: until it is, there may be no other. */
  #stuck: TransitionalFiles | undefined;
  /** Files to be removed with the next look at this one: an editor may have opened one, and still write into it. */
  readonly #done: { readonly files: TransitionalFiles; readonly file: string; readonly known: Buffer }[] = [];

  /** `onKept` is told where an edit lies that met a replacement and could not stay in its place. */
  constructor(path: string, disk: Disk, maxBytes: number, onKept: (path: string) => void) {
    this.#path = path;
    this.#disk = disk;
    this.#maxBytes = maxBytes;
    this.#onKept = onKept;
  }

  /** Finishes or undoes what a crash has interrupted. Call it once, before the first `read`. */
  async recover(): Promise<void> {
    await this.#files().recover();
  }

  /** What the file holds now; undefined when there is none. */
  async read(): Promise<Buffer | undefined> {
    if (this.#stuck !== undefined) await this.#stuck.putBack();
    this.#stuck = undefined;
    await this.#letGo();
    this.#seen = undefined;
    const files = this.#files();
    try {
      const content = await this.#disk.read(files.place, this.#maxBytes);
      this.#seen = { files, content };
      return content.bytes;
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      this.#seen = { files };
      return undefined;
    }
  }

  async #letGo(): Promise<void> {
    for (let each = this.#done[0]; each !== undefined; each = this.#done[0]) {
      await each.files.dispose(each.file, each.known);
      this.#done.shift();
    }
  }

  // #region replace
  /**
   * Replaces what `read` has found. Resolves with false when the file is something else by now: then it stays as it is.
   * `prepare` is called while the file is still untouched, when all that takes time and room has been done.
   *
   * @throws OutcomeUnknown when the file has been replaced and the disk did not confirm it
   * @throws Error for whatever else goes wrong; the file is as it was
   */
  async replace(text: string, prepare: () => Promise<void>): Promise<boolean> {
    const seen = this.#seen;
    if (seen === undefined) throw new Error("Read the file before you replace it");
    this.#seen = undefined;
    const { files, content } = seen;
    let isReplaced = false;
    try {
      await this.#disk.remove(files.draft);
      await this.#disk.create(files.draft, text, content?.stats ?? 0o666);
      const { ino } = this.#disk.stats(files.draft);
      await prepare();
      if (content !== undefined) this.#done.push({ files, file: files.old, known: content.bytes });
      isReplaced = this.#exchange(seen) && (await this.#isConfirmed(seen, ino));
    } finally {
      if (!isReplaced) this.#done.push({ files, file: files.undone, known: Buffer.from(text) });
      await this.#disk.remove(files.draft).catch(() => {});
      // What this cannot do now is done later.
      if (!isReplaced) await this.#letGo().catch(() => {});
    }
    if (!isReplaced) return false;
    try {
      await this.#disk.syncFolder(dirname(files.place));
    } catch (error) {
      throw new OutcomeUnknown(messageOf(error), { cause: error });
    }
    return true;
  }

  /**
   * Moves the old file aside and gives its name to the new one, if the old one is what had been read and nobody else has
   * taken the name. Nothing of this process runs meanwhile: the name is free for microseconds.
   */
  #exchange({ files, content }: Seen): boolean {
    const { place, draft, old } = files;
    // Such as a symbolic link that a deployment has swapped.
    if (this.#disk.follow(this.#path) !== place) return false;
    if (content === undefined) return files.giveName(draft);
    try {
      this.#disk.rename(place, old);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
    let isDone = false;
    try {
      isDone = isSame(this.#disk.stats(old), content.stats) && files.giveName(draft);
    } finally {
      if (!isDone) this.#stepBack(files, () => files.giveName(old));
    }
    return isDone;
  }

  /** A second look at what was moved aside. If it is not what had been read, it goes back, and the new content away. */
  async #isConfirmed({ files, content }: Seen, ino: bigint): Promise<boolean> {
    let isOld = false;
    try {
      // An edit that left size and time as they were shows only in the content.
      isOld =
        this.#disk.follow(this.#path) === files.place &&
        (content === undefined ||
          (await this.#disk.read(files.old, this.#maxBytes)).bytes.equals(content.bytes));
    } finally {
      if (!isOld) this.#stepBack(files, () => this.#undo(files, ino));
    }
    return isOld;
  }

  #undo(files: TransitionalFiles, ino: bigint): void {
    const { place, old, undone } = files;
    this.#disk.rename(place, undone);
    // What somebody else has put there since is the newest, and stays.
    const isOurs = this.#disk.stats(undone).ino === ino;
    if (!isOurs || statsOf(this.#disk, old) !== undefined) files.giveName(isOurs ? old : undone);
  }
  // #endregion replace

  /** Where a step back fails, the file is not as it was. */
  #stepBack(files: TransitionalFiles, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#stuck = files;
      throw new OutcomeUnknown(messageOf(error), { cause: error });
    }
  }

  #files(): TransitionalFiles {
    return new TransitionalFiles(this.#disk.follow(this.#path), this.#disk, this.#maxBytes, this.#onKept);
  }
}

/** The time of the inode's last change is left out: to be moved aside is one. */
function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
