// Finds the end of a head in a stream that may arrive in any pieces, and keeps what has come of it.
// Nearly every head comes whole in one read: that path copies nothing. The other path is bounded and looks at each
// new byte once, so that a client who sends one byte at a time costs no more than its bytes.

import { CR, HTAB, LF } from "./bytes.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** Largest head, request line or status line included, in bytes. */
export const maxHeadBytes = 16_384;

const tooLarge = refusal("head too large", "header-fields-too-large");
const bareLf = refusal("bare LF");
const bareCr = refusal("bare CR");
const controlByte = refusal("control byte");

const nothing = Buffer.alloc(0);

/** `complete`: the head is `bytes[from, to)`, valid until the next push, and the stream goes on at `next`. */
export type HeadProgress = "complete" | "partial" | Refusal;

// #region head-reader
export class HeadReader {
  bytes: Buffer = nothing;
  from = 0;
  to = 0;
  /** Index in the pushed chunk of the first byte after the head. */
  next = 0;
  #held: Buffer = nothing;
  #heldBytes = 0;

  /** Whether part of a head is held: the sender is in the middle of a message. */
  get started(): boolean {
    return this.#heldBytes > 0;
  }

  reset(): void {
    this.#held = nothing;
    this.#heldBytes = 0;
  }

  /** Takes `chunk[from, to)`, which must hold at least one byte. */
  push(chunk: Buffer, from: number, to: number): HeadProgress {
    if (this.#heldBytes > 0) return this.#continue(chunk, from, to);
    const end = endOfHead(chunk, from, Math.min(to, from + maxHeadBytes));
    if (end === -1) return this.#hold(chunk, from, to);
    this.bytes = chunk;
    this.from = from;
    this.to = end;
    this.next = end;
    return "complete";
  }

  #hold(chunk: Buffer, from: number, to: number): HeadProgress {
    if (to - from >= maxHeadBytes) return tooLarge;
    this.#append(chunk, from, to);
    return lineFault(this.#held, 0, this.#heldBytes) ?? "partial";
  }

  #continue(chunk: Buffer, from: number, to: number): HeadProgress {
    const before = this.#heldBytes;
    const taken = Math.min(to, from + maxHeadBytes - before);
    this.#append(chunk, from, taken);
    // The empty line may have begun in the bytes held before.
    const end = endOfHead(this.#held, Math.max(0, before - 3), this.#heldBytes);
    if (end === -1) {
      const fault = lineFault(this.#held, before, this.#heldBytes);
      if (fault !== undefined) return fault;
      return this.#heldBytes === maxHeadBytes ? tooLarge : "partial";
    }
    this.bytes = this.#held;
    this.from = 0;
    this.to = end;
    this.next = from + (end - before);
    this.reset();
    return "complete";
  }

  #append(chunk: Buffer, from: number, to: number): void {
    const needed = this.#heldBytes + (to - from);
    if (needed > this.#held.length) {
      // Grows as it must: thousands of clients that send slowly must not cost a full-size buffer each.
      const grown = Buffer.allocUnsafeSlow(Math.min(maxHeadBytes, Math.max(1024, needed * 2)));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#heldBytes, from, to);
    this.#heldBytes = needed;
  }
}
// #endregion head-reader

/**
 * Index after the first CR LF CR LF in `bytes[from, to)`, or -1. Looks at every fourth byte, and closer where a byte of
 * the pattern stands; for a head's few hundred bytes this is done before a call into native code has begun.
 */
function endOfHead(bytes: Uint8Array, from: number, to: number): number {
  let i = from + 3;
  while (i < to) {
    const byte = bytes[i];
    if (byte === LF) {
      if (bytes[i - 1] === CR && bytes[i - 2] === LF && bytes[i - 3] === CR) return i + 1;
      i += 2;
    } else i += byte === CR ? 1 : 4;
  }
  return -1;
}

/**
 * Refuses what no further byte can make right, instead of waiting for it: a client that ends its lines with a bare LF
 * would never send the empty line that the search looks for, and hang until its time is up.
 */
function lineFault(bytes: Buffer, from: number, to: number): Refusal | undefined {
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    if (byte >= 0x20 ? byte === 0x7f : byte !== CR && byte !== LF && byte !== HTAB) return controlByte;
    const previous = i === 0 ? 0 : bytes[i - 1];
    if (byte === LF && previous !== CR) return bareLf;
    if (byte !== LF && previous === CR) return bareCr;
  }
  return undefined;
}
