// Reads a chunked body only as far as framing needs: sizes and line ends are checked strictly, data is passed on as the bytes
// it came in. What passes is always a well-formed chunked body with plain size lines. This one knows no trailers.

import { type Refusal, refusal } from "../../../../stages/m5/src/http1/refusal.ts";

const LF = 0x0a;

/** One to thirteen hexadecimal digits, and an extension that is left out. */
const sizeLine = /^([0-9a-f]{1,13})(;[^\r]*)?\r\n$/i;
const maxLineBytes = 4096;

const badSize = refusal("chunk size is not a hexadecimal number");
const sizeTooLarge = refusal("chunk size has too many digits");
const badDataEnd = refusal("chunk data is not followed by CR LF");
const badLastLine = refusal("the last chunk is not followed by an empty line");

/** Takes what shall be sent on. The bytes are valid only during the call. */
export type BodySink = (bytes: Buffer, from: number, to: number) => void;

export class ChunkedReader {
  /** Of the present line, as far as it has come. */
  #line = "";
  #expects: "size" | "data" | "data-end" | "last-line" = "size";
  #left = 0;
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
    let at = from;
    while (at < to && !this.#done && this.refusal === undefined) {
      if (this.#expects === "data") {
        const end = Math.min(to, at + this.#left);
        sink(bytes, at, end);
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#expects = "data-end";
        continue;
      }
      const lf = bytes.subarray(at, to).indexOf(LF);
      const end = lf === -1 ? to : at + lf + 1;
      this.#line += bytes.toString("latin1", at, end);
      at = end;
      if (this.#line.length > maxLineBytes) this.refusal = sizeTooLarge;
      else if (lf !== -1) this.#takeLine(sink);
    }
    return at;
  }

  #takeLine(sink: BodySink): void {
    const line = this.#line;
    this.#line = "";
    if (this.#expects !== "size") {
      if (line !== "\r\n") {
        this.refusal = this.#expects === "data-end" ? badDataEnd : badLastLine;
        return;
      }
      sink(Buffer.from("\r\n"), 0, 2);
      this.#done = this.#expects === "last-line";
      this.#expects = "size";
      return;
    }
    const digits = sizeLine.exec(line)?.[1];
    if (digits === undefined) {
      this.refusal = badSize;
      return;
    }
    sink(Buffer.from(`${digits}\r\n`), 0, digits.length + 2);
    this.#left = Number.parseInt(digits, 16);
    this.#expects = this.#left === 0 ? "last-line" : "data";
  }
}
