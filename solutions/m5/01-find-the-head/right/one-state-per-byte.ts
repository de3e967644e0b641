// Finds the end of a head in a stream that may arrive in any pieces, and keeps what has come of it.

import { type Refusal, refusal } from "../../../../stages/m5/src/http1/refusal.ts";

/** Largest head, request line included, in bytes. */
export const maxHeadBytes = 16_384;

const tooLarge = refusal("head too large", "header-fields-too-large");
const bareLf = refusal("bare LF");

const CR = 0x0d;
const LF = 0x0a;
const nothing = Buffer.alloc(0);

/** `complete`: the head is in `head`, valid until the next push, and the stream goes on at `next`. */
export type HeadProgress = "complete" | "partial" | Refusal;

export class HeadReader {
  /** The last complete head, the empty line included. */
  head: Buffer = nothing;
  /** Index in the pushed chunk of the first byte after the head. */
  next = 0;
  /** What has come of a head that is not complete. */
  readonly #held: Buffer = Buffer.alloc(maxHeadBytes);
  #size = 0;
  #matched = 0;
  #last = 0;

  /**
   * Takes `chunk[from, to)`, which holds at least one byte. The caller reads into the same buffer again: once `push` has said
   * `partial`, the chunk's bytes are gone. When `maxHeadBytes` have come without the end of the head, it is refused as too large.
   * A line that ends with LF alone is refused at once while the end is missing; in a complete head it may pass, because the parser
   * that reads the head refuses it.
   */
  push(chunk: Buffer, from: number, to: number): HeadProgress {
    for (let i = from; i < to; i++) {
      const byte = chunk[i] as number;
      if (byte === LF && this.#last !== CR) return bareLf;
      // How much of CR LF CR LF has been seen: 0 to 4.
      const wanted = this.#matched % 2 === 0 ? CR : LF;
      this.#matched = byte === wanted ? this.#matched + 1 : byte === CR ? 1 : 0;
      this.#last = byte;
      this.#held[this.#size++] = byte;
      if (this.#matched === 4) {
        this.head = this.#held.subarray(0, this.#size);
        this.next = i + 1;
        this.#size = 0;
        this.#matched = 0;
        this.#last = 0;
        return "complete";
      }
      if (this.#size === maxHeadBytes) return tooLarge;
    }
    return "partial";
  }
}
