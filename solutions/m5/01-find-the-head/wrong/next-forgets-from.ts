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
  #held: Buffer = nothing;

  /**
   * Takes `chunk[from, to)`, which holds at least one byte. The caller reads into the same buffer again: once `push` has said
   * `partial`, the chunk's bytes are gone. When `maxHeadBytes` have come without the end of the head, it is refused as too large.
   * A line that ends with LF alone is refused at once while the end is missing; in a complete head it may pass, because the parser
   * that reads the head refuses it.
   */
  push(chunk: Buffer, from: number, to: number): HeadProgress {
    const before = this.#held.length;
    // No more than a head may have: what follows it is none of this reader's business.
    const taken = chunk.subarray(from, Math.min(to, from + maxHeadBytes - before));
    const bytes = before === 0 ? taken : Buffer.concat([this.#held, taken]);
    // The empty line may have begun in the bytes held before.
    const end = endOfHead(bytes, Math.max(0, before - 3));
    if (end === -1) return this.#hold(bytes, before);
    this.head = bytes.subarray(0, end);
    this.next = before === 0 ? from + end : end - before;
    this.#held = nothing;
    return "complete";
  }

  #hold(bytes: Buffer, before: number): HeadProgress {
    if (bytes.length === maxHeadBytes) return tooLarge;
    // A copy: the caller will read into the chunk's buffer again.
    this.#held = Buffer.from(bytes);
    return lineFault(bytes, before) ?? "partial";
  }
}

/** Index after the first CR LF CR LF in `bytes[from, …)`, or -1. */
function endOfHead(bytes: Buffer, from: number): number {
  const at = bytes.indexOf("\r\n\r\n", from, "latin1");
  return at === -1 ? -1 : at + 4;
}

/** Refuses at once what no further byte can make right. Looks at `bytes[from, …)` and the byte before. */
function lineFault(bytes: Buffer, from: number): Refusal | undefined {
  for (let i = from; i < bytes.length; i++) {
    if (bytes[i] === LF && bytes[i - 1] !== CR) return bareLf;
  }
  return undefined;
}
