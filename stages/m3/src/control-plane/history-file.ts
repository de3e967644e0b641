// Where epoch and revision of the store are kept over a restart: one small file that is replaced whole.

import { z } from "zod";
import { codeOf, type Disk } from "./disk.ts";
import { removeDraft, writeDurably } from "./durable-write.ts";
import type { History } from "./history.ts";

const schema = z.object({
  format: z.literal(1),
  epoch: z.string().min(1).max(64),
  revision: z.number().int().min(1),
  /** Of the document that had this revision: it tells whether the routing file has changed since. */
  checksum: z.string(),
  formerEpochs: z.array(z.string()),
});

/** Many times the size of 64 epochs. */
const maxBytes = 1024 * 1024;

export class HistoryFile {
  readonly #path: string;
  readonly #disk: Disk;
  readonly #assertOwner: () => void;
  /** What the file holds; undefined when that is not known. */
  #held: History | undefined;

  /** `assertOwner` throws when another process may own the file by now. */
  constructor(path: string, disk: Disk, assertOwner: () => void) {
    this.#path = path;
    this.#disk = disk;
    this.#assertOwner = assertOwner;
  }

  /** Undefined when there is none, or none that can be read: then the past is unknown. A damaged file is kept aside. */
  async read(): Promise<History | undefined> {
    let text: string;
    try {
      await removeDraft(this.#disk, this.#path);
      text = (await this.#disk.read(this.#path, maxBytes)).bytes.toString("utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { format: _, ...history } = schema.parse(JSON.parse(text));
      this.#held = history;
      return history;
    } catch {
      this.#disk.rename(this.#path, `${this.#path}.damaged`);
      return undefined;
    }
  }

  /** Whether the last write, or the first read, left `history` in the file. */
  holds(history: History): boolean {
    return this.#held === history;
  }

  /** Resolves when the file is on disk, whole. */
  async write(history: History): Promise<void> {
    this.#held = undefined;
    const text = `${JSON.stringify({ format: 1, ...history }, null, 2)}\n`;
    await writeDurably(this.#disk, this.#path, text, this.#assertOwner);
    this.#held = history;
  }
}
