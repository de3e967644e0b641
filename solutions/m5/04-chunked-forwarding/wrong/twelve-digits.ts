// Reads a chunked body only as far as framing needs: sizes and line ends are checked strictly, data is passed on as the bytes
// it came in. What passes is always a well-formed chunked body with plain size lines. This one knows no trailers.

import { HEX_VALUE } from "../../../../stages/m5/src/http1/bytes.ts";
import { type Refusal, refusal } from "../../../../stages/m5/src/http1/refusal.ts";

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

/** Thirteen hexadecimal digits stay below 2^53. The bound holds for leading zeros too. */
const maxSizeDigits = 13;

const badSize = refusal("chunk size is not a hexadecimal number");
const sizeTooLarge = refusal("chunk size has too many digits");
const badSizeLine = refusal("bare CR in a chunk's size line");
const badDataEnd = refusal("chunk data is not followed by CR LF");
const badLastLine = refusal("the last chunk is not followed by an empty line");

/** Takes what shall be sent on. The bytes are valid only during the call. */
export type BodySink = (bytes: Buffer, from: number, to: number) => void;

type State =
  | "size"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "last-cr"
  | "last-lf"
  | "done"
  | "refused";

export class ChunkedReader {
  #state: State = "size";
  /** Of the present chunk: what is still to come, in bytes. */
  #size = 0;
  #digits = 0;
  refusal: Refusal | undefined;

  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Takes `bytes[from, to)`, cut anywhere, and hands to `sink` what shall be sent on: data in the call that brings it. Chunk
   * extensions (from `;` to the CR of the line's end) are left out, and nothing from a fault on is sent. Returns the index after
   * the last byte taken: that is `to` unless the body is done or refused before.
   */
  read(bytes: Buffer, from: number, to: number, sink: BodySink): number {
    // Everything since `start` can be sent as it came; a run ends where something must be left out.
    let start = from;
    let i = from;
    while (i < to && this.#state !== "done") {
      if (this.#state === "data") {
        i = this.#takeData(i, to);
        continue;
      }
      const before = this.#state;
      this.#state = this.#step(before, bytes[i] as number);
      if (this.#state === "refused") return i;
      if (before === "extension" && this.#state === "size-lf") start = i;
      if (before !== "extension" && this.#state === "extension" && i > start) sink(bytes, start, i);
      i++;
    }
    if (this.#state !== "extension" && i > start) sink(bytes, start, i);
    return i;
  }

  #takeData(from: number, to: number): number {
    const end = Math.min(from + this.#size, to);
    this.#size -= end - from;
    if (this.#size === 0) this.#state = "data-cr";
    return end;
  }

  /** What comes after `byte` of a size line or a line end. */
  #step(state: State, byte: number): State {
    switch (state) {
      case "size":
        return this.#sizeByte(byte);
      case "extension":
        if (byte === LF) return this.#refuse(badSizeLine);
        return byte === CR ? "size-lf" : "extension";
      case "size-lf":
        if (byte !== LF) return this.#refuse(badSizeLine);
        this.#digits = 0;
        return this.#size === 0 ? "last-cr" : "data";
      case "data-cr":
        return byte === CR ? "data-lf" : this.#refuse(badDataEnd);
      case "data-lf":
        return byte === LF ? "size" : this.#refuse(badDataEnd);
      case "last-cr":
        return byte === CR ? "last-lf" : this.#refuse(badLastLine);
      case "last-lf":
        return byte === LF ? "done" : this.#refuse(badLastLine);
      default:
        return state;
    }
  }

  #sizeByte(byte: number): State {
    const digit = HEX_VALUE[byte] as number;
    if (digit !== 255) {
      if (++this.#digits >= maxSizeDigits) return this.#refuse(sizeTooLarge);
      this.#size = this.#size * 16 + digit;
      return "size";
    }
    if (this.#digits === 0) return this.#refuse(badSize);
    if (byte === CR) return "size-lf";
    return byte === SEMICOLON ? "extension" : this.#refuse(badSize);
  }

  #refuse(reason: Refusal): "refused" {
    this.refusal = reason;
    return "refused";
  }
}
