// Stands in for the stage's `http1/body-reader.ts` while your `ChunkedReader` serves real traffic: it is the stage's file, with your
// reader in the place of the stage's own. What the exercise leaves out stays with that one: trailers, what an extension may contain,
// and receivers of HTTP/1.0, which get the data without the chunks.

import {
  type ChunkedOutput,
  type ChunkedSink,
  ChunkedReader as StageReader,
} from "../../../../stages/m5/src/http1/chunked-reader.ts";
import type { ResponseBody } from "../../../../stages/m5/src/http1/framing.ts";
import type { Refusal } from "../../../../stages/m5/src/http1/refusal.ts";
import { ChunkedReader as YourReader } from "../starter/chunked-reader.ts";

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

const nothing: ChunkedSink = { bodyBytes: () => {}, bodyText: () => {}, trailers: () => "" };

export class BodyReader {
  #kind: ResponseBody["kind"] = "none";
  #remaining = 0;
  #bytes = 0;
  #done = true;
  /** Most connections never carry chunks. */
  #chunked: ChunkedReader | undefined;

  /** The end has been read. A body that is framed by the connection's end is done when its owner calls `end`. */
  get done(): boolean {
    return this.#done;
  }

  get refusal(): Refusal | undefined {
    return this.#kind === "chunked" ? this.#chunked?.refusal : undefined;
  }

  /** Content so far, in bytes, without chunk framing. */
  get contentBytes(): number {
    return this.#bytes;
  }

  begin(body: ResponseBody, output: ChunkedOutput): void {
    this.#kind = body.kind;
    this.#bytes = 0;
    this.#remaining = body.kind === "length" ? body.length : 0;
    this.#done = body.kind === "none" || (body.kind === "length" && body.length === 0);
    if (body.kind !== "chunked") return;
    this.#chunked ??= new ChunkedReader();
    this.#chunked.reset(output);
  }

  /** Takes `bytes[from, to)`; returns the index after the last byte that belonged to the body. */
  read(bytes: Buffer, from: number, to: number, sink: ChunkedSink): number {
    if (this.#done) return from;
    if (this.#kind === "chunked" && this.#chunked !== undefined) {
      const next = this.#chunked.read(bytes, from, to, sink);
      this.#done = this.#chunked.done;
      this.#bytes = this.#chunked.dataBytes;
      return next;
    }
    const end = this.#kind === "length" ? Math.min(to, from + this.#remaining) : to;
    this.#bytes += end - from;
    if (this.#kind === "length") {
      this.#remaining -= end - from;
      this.#done = this.#remaining === 0;
    }
    sink.bodyBytes(bytes, from, end);
    return end;
  }

  /** The connection ended in order. Returns whether the body is whole. */
  end(): boolean {
    if (this.#kind === "until-close") this.#done = true;
    return this.#done;
  }
}

/** `last-line`: the last chunk's size line is over, and the next byte tells whether trailers follow. */
type Part = "chunks" | "last-line" | "empty-line" | "trailers";

class ChunkedReader {
  readonly #stage = new StageReader();
  #yours = new YourReader();
  #sizes = new SizeLines();
  #output: ChunkedOutput = "wire";
  #part: Part = "chunks";

  get done(): boolean {
    return this.#isStages ? this.#stage.done : this.#yours.done;
  }

  get refusal(): Refusal | undefined {
    const stages = this.#stage.refusal;
    // Of the stage's refusals only those count that yours leaves out.
    return this.#isStages || stages?.rule.includes("extension") ? stages : this.#yours.refusal;
  }

  get dataBytes(): number {
    return this.#stage.dataBytes;
  }

  get #isStages(): boolean {
    return this.#output === "data" || this.#part === "trailers";
  }

  reset(output: ChunkedOutput): void {
    this.#stage.reset(output);
    this.#yours = new YourReader();
    this.#sizes = new SizeLines();
    this.#output = output;
    this.#part = "chunks";
  }

  read(bytes: Buffer, from: number, to: number, sink: ChunkedSink): number {
    if (this.#output === "data") return this.#stage.read(bytes, from, to, sink);
    let at = from;
    if (this.#part === "chunks") {
      const end = this.#sizes.lastLineEnd(bytes, from, to);
      at = this.#readYours(bytes, from, end ?? to, sink);
      if (this.done || this.refusal !== undefined || end === undefined) return at;
      this.#part = "last-line";
    }
    if (at === to) return at;
    if (this.#part === "last-line") this.#part = bytes[at] === CR ? "empty-line" : "trailers";
    return this.#part === "trailers"
      ? this.#stage.read(bytes, at, to, { ...nothing, ...trailersTo(sink) })
      : this.#readYours(bytes, at, to, sink);
  }

  #readYours(bytes: Buffer, from: number, to: number, sink: ChunkedSink): number {
    this.#stage.read(bytes, from, to, nothing);
    if (this.refusal !== undefined) return from;
    return this.#yours.read(bytes, from, to, (source, start, end) => sink.bodyBytes(source, start, end));
  }
}

function trailersTo(sink: ChunkedSink): Pick<ChunkedSink, "bodyText" | "trailers"> {
  return {
    bodyText: (latin1) => sink.bodyText(latin1),
    trailers: (section) => sink.trailers(section),
  };
}

/** Finds the last chunk's size line in a body that is well formed; what is not, your reader refuses. */
class SizeLines {
  #size = 0;
  /** Bytes of data and its line end that are still to come. */
  #toSkip = 0;
  #inExtension = false;

  /** Index behind the size line of the last chunk, if that ends in `bytes[from, to)`. */
  lastLineEnd(bytes: Buffer, from: number, to: number): number | undefined {
    for (let i = from; i < to; i++) {
      const skipped = Math.min(this.#toSkip, to - i);
      this.#toSkip -= skipped;
      i += skipped;
      if (i >= to) return undefined;
      const byte = bytes[i] as number;
      if (byte === LF) {
        if (this.#size === 0) return i + 1;
        this.#toSkip = this.#size + 2;
        this.#size = 0;
        this.#inExtension = false;
      } else if (byte === SEMICOLON) this.#inExtension = true;
      else if (byte !== CR && !this.#inExtension) {
        this.#size = this.#size * 16 + Number.parseInt(String.fromCharCode(byte), 16);
      }
    }
    return undefined;
  }
}
