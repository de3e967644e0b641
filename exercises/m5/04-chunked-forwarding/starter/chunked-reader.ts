// Reads a chunked body only as far as framing needs: sizes and line ends are checked strictly, data is passed on as the bytes
// it came in. What passes is always a well-formed chunked body with plain size lines. This one knows no trailers.

import { HEX_VALUE } from "../../../../stages/m5/src/http1/bytes.ts";
import { type Refusal, refusal } from "../../../../stages/m5/src/http1/refusal.ts";

const CR = 0x0d;
const LF = 0x0a;

const badSize = refusal("chunk size is not a hexadecimal number");

/** Takes what shall be sent on. The bytes are valid only during the call. */
export type BodySink = (bytes: Buffer, from: number, to: number) => void;

export class ChunkedReader {
  #started = false;
  #done = false;
  refusal: Refusal | undefined;

  get done(): boolean {
    return this.#done;
  }

  /**
   * Takes `bytes[from, to)`, cut anywhere, and hands to `sink` what shall be sent on: data in the call that brings it. Chunk
   * extensions (from `;` to the CR of the line's end) are left out, and nothing from a fault on is sent. Returns the index after
   * the last byte taken: that is `to` unless the body is done or refused before.
   */
  read(bytes: Buffer, from: number, to: number, sink: BodySink): number {
    if (!this.#started && HEX_VALUE[bytes[from] as number] === 255) {
      this.refusal = badSize;
      return from;
    }
    this.#started = true;
    // The body ends with the last chunk: 0 CR LF CR LF.
    const last = [0x30, CR, LF, CR, LF];
    this.#done = last.every((byte, i) => bytes[to - last.length + i] === byte);
    sink(bytes, from, to);
    return to;
  }
}
