// Reads a chunked body only as far as framing needs: sizes and line ends are checked strictly, data is passed on as the
// bytes it came in. What passes is always a well-formed chunked body with plain size lines, so the next parser has nothing
// to disagree about: extensions are dropped, trailers are read as fields and written anew.

import { CR, HEX_VALUE, LF } from "./bytes.ts";
import { ChunkExtension } from "./chunk-extension.ts";
import { FieldSection } from "./field-section.ts";
import { HeadReader } from "./head-reader.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** All chunk extensions of one body together; beyond it they are an attack on whoever must skip them. */
export const maxExtensionBytes = 16_384;

/** Thirteen hexadecimal digits stay below 2^53. The bound holds for leading zeros too. */
const maxSizeDigits = 13;

const badSize = refusal("chunk size is not a hexadecimal number");
const sizeTooLarge = refusal("chunk size has too many digits");
const badSizeLine = refusal("bare CR in a chunk's size line");
const badExtension = refusal("chunk extension is not a list of names with values");
const badDataEnd = refusal("chunk data is not followed by CR LF");
const badLastLine = refusal("bare CR after the last chunk");
const extensionsTooLarge = refusal("chunk extensions too large", "content-too-large");

const SEMICOLON = 0x3b;

/** `wire`: pieces of a chunked body, to be sent as they are. `data`: the chunks' content alone. */
export type ChunkedOutput = "wire" | "data";

/** Takes what shall be sent on. */
export interface ChunkedSink {
  /** The bytes are valid only during the call. */
  bodyBytes(bytes: Buffer, from: number, to: number): void;
  /** A trailer section came. Returns the lines to send on, each ended by CR LF; used in `wire` output only. */
  trailers(section: FieldSection): string;
  bodyText(latin1: string): void;
}

type State =
  | "size"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailer-start"
  | "trailer"
  | "last-lf"
  | "done"
  | "refused";

// #region chunked-reader
export class ChunkedReader {
  #state: State = "size";
  #output: ChunkedOutput = "wire";
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  readonly #extension = new ChunkExtension();
  /** Only a body that has trailers costs these. */
  #trailerReader: HeadReader | undefined;
  /** Chunk content so far, in bytes. */
  dataBytes = 0;
  refusal: Refusal | undefined;

  get done(): boolean {
    return this.#state === "done";
  }

  reset(output: ChunkedOutput): void {
    this.#state = "size";
    this.#output = output;
    this.#size = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#trailerReader = undefined;
    this.dataBytes = 0;
    this.refusal = undefined;
  }

  /**
   * Takes `bytes[from, to)` and hands to `sink` what shall be sent on. Returns the index after the last byte taken: that is
   * `to` unless the body is done or refused before.
   */
  read(bytes: Buffer, from: number, to: number, sink: ChunkedSink): number {
    // Everything since `start` can be sent as it came; a run ends where something must be left out.
    let start = from;
    let i = from;
    while (i < to) {
      if (this.#state === "data") {
        i = this.#takeData(bytes, i, to, sink);
        continue;
      }
      const before = this.#state;
      if (before === "trailer") {
        i = this.#readTrailer(bytes, i, to, sink);
        start = i;
        if (this.#state !== "trailer") return i;
        continue;
      }
      const after = this.#step(before, bytes[i] as number);
      this.#state = after;
      if (after === "refused") return i;
      if (after === before) {
        i++;
        continue;
      }
      if (after === "extension" || after === "trailer") this.#pass(bytes, start, i, sink);
      else if (before === "extension") start = i;
      // The byte that opens a trailer is its first.
      if (after !== "trailer") i++;
      if (after === "done") {
        this.#pass(bytes, start, i, sink);
        return i;
      }
    }
    if (this.#state !== "extension") this.#pass(bytes, start, i, sink);
    return i;
  }

  /** What comes after `byte` of a size line or a line end. */
  #step(state: State, byte: number): State {
    switch (state) {
      case "size":
        return this.#sizeByte(byte);
      case "extension":
        return this.#extensionByte(byte);
      case "size-lf":
        if (byte !== LF) return this.#refuse(badSizeLine);
        this.#digits = 0;
        return this.#size === 0 ? "trailer-start" : "data";
      case "data-cr":
        return byte === CR ? "data-lf" : this.#refuse(badDataEnd);
      case "data-lf":
        return byte === LF ? "size" : this.#refuse(badDataEnd);
      case "trailer-start":
        return byte === CR ? "last-lf" : "trailer";
      case "last-lf":
        return byte === LF ? "done" : this.#refuse(badLastLine);
      default:
        return state;
    }
  }

  #sizeByte(byte: number): State {
    const digit = HEX_VALUE[byte] as number;
    if (digit !== 255) {
      if (++this.#digits > maxSizeDigits) return this.#refuse(sizeTooLarge);
      this.#size = this.#size * 16 + digit;
      return "size";
    }
    if (this.#digits === 0) return this.#refuse(badSize);
    if (byte === CR) return "size-lf";
    if (byte !== SEMICOLON) return this.#refuse(badSize);
    this.#extension.begin();
    return "extension";
  }

  #extensionByte(byte: number): State {
    if (byte === CR && this.#extension.complete) return "size-lf";
    if (!this.#extension.accepts(byte)) return this.#refuse(badExtension);
    return ++this.#extensionBytes > maxExtensionBytes ? this.#refuse(extensionsTooLarge) : "extension";
  }

  #takeData(bytes: Buffer, from: number, to: number, sink: ChunkedSink): number {
    const end = Math.min(from + this.#size, to);
    if (this.#output === "data") sink.bodyBytes(bytes, from, end);
    this.#size -= end - from;
    this.dataBytes += end - from;
    if (this.#size === 0) this.#state = "data-cr";
    return end;
  }

  #pass(bytes: Buffer, from: number, to: number, sink: ChunkedSink): void {
    if (this.#output === "wire" && to > from) sink.bodyBytes(bytes, from, to);
  }

  /** A trailer section is a head without a first line: it ends at the same empty line and has the same bound. */
  #readTrailer(bytes: Buffer, from: number, to: number, sink: ChunkedSink): number {
    this.#trailerReader ??= new HeadReader();
    const reader = this.#trailerReader;
    const progress = reader.push(bytes, from, to);
    if (progress === "partial") return to;
    const section = new FieldSection();
    const fault = progress === "complete" ? section.parse(reader.bytes, reader.from, reader.from) : progress;
    if (fault !== undefined) {
      this.#state = this.#refuse(fault);
      return from;
    }
    section.text = reader.bytes.toString("latin1", reader.from, reader.to);
    const lines = sink.trailers(section);
    if (this.#output === "wire") sink.bodyText(`${lines}\r\n`);
    this.#state = "done";
    return reader.next;
  }

  #refuse(reason: Refusal): "refused" {
    this.refusal = reason;
    return "refused";
  }
}
// #endregion chunked-reader
