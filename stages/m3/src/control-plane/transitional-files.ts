// The files that the store makes beside the routing file while it replaces it, and what becomes of them: none is removed
// that holds an edit. Names in the same folder, because a rename to another one might be a copy; one store has one owner,
// so they are its own.

import { basename, dirname, join } from "node:path";
import { codeOf, type Disk, statsOf } from "./disk.ts";

export class TransitionalFiles {
  readonly place: string;
  /** The new content, until it has taken its place. */
  readonly draft: string;
  /** The file that was replaced, until nobody is likely to write into it any more. */
  readonly old: string;
  /** A new content that had to leave its place again. */
  readonly undone: string;
  readonly #disk: Disk;
  readonly #maxBytes: number;
  readonly #onKept: (path: string) => void;

  /** `onKept` is told where an edit lies that could not stay in its place. */
  constructor(place: string, disk: Disk, maxBytes: number, onKept: (path: string) => void) {
    const name = (what: string): string => join(dirname(place), `.${basename(place)}.${what}`);
    this.place = place;
    this.draft = name("draft");
    this.old = name("old");
    this.undone = name("undone");
    this.#disk = disk;
    this.#maxBytes = maxBytes;
    this.#onKept = onKept;
  }

  /** Finishes or undoes what a crash has interrupted. Nothing may be under way. */
  async recover(): Promise<void> {
    const [now, old] = [statsOf(this.#disk, this.place), statsOf(this.#disk, this.old)];
    if (old !== undefined) {
      if (now === undefined) await this.putBack();
      // Written after it had been moved aside: the draft, which has taken its place, is from before that.
      else if (now.ino !== old.ino && old.mtimeNs > now.mtimeNs) this.keep(this.old);
      await this.#disk.remove(this.old);
    }
    if (statsOf(this.#disk, this.undone) !== undefined) this.keep(this.undone);
    await this.#disk.remove(this.draft);
  }

  /** Gives the old file its name back, if there is one and nobody has taken the name. */
  async putBack(): Promise<boolean> {
    if (statsOf(this.#disk, this.old) === undefined || !this.giveName(this.old)) return false;
    await this.#disk.syncFolder(dirname(this.place));
    await this.#disk.remove(this.old);
    return true;
  }

  /** Puts a file in the routing file's place. False when there is another one. */
  giveName(file: string): boolean {
    try {
      // As a second name, because a rename would replace whatever is there.
      this.#disk.link(file, this.place);
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      if (!cannotLink.has(codeOf(error) ?? "")) throw error;
      // Without hard links, looking and renaming are two steps: an edit between them would be lost.
      if (statsOf(this.#disk, this.place) !== undefined) return false;
      this.#disk.rename(file, this.place);
    }
    return true;
  }

  /** Removes a file; if it holds anything but `known`, keeps it under another name and tells. */
  async dispose(file: string, known: Buffer): Promise<void> {
    const stats = statsOf(this.#disk, file);
    if (stats === undefined) return;
    // Only a second name of what is in its place.
    const isInPlace = statsOf(this.#disk, this.place)?.ino === stats.ino;
    if (!isInPlace && !(await this.#disk.read(file, this.#maxBytes)).bytes.equals(known)) this.keep(file);
    else await this.#disk.remove(file);
  }

  /** Gives a file a name that nothing here ever removes, and tells it. */
  keep(file: string): void {
    let number = 1;
    while (statsOf(this.#disk, `${this.place}.edited-${number}`) !== undefined) number += 1;
    this.#disk.rename(file, `${this.place}.edited-${number}`);
    this.#onKept(`${this.place}.edited-${number}`);
  }
}

/** Errors of file systems that know no hard links, or do not allow this one. */
const cannotLink = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);
