// Stands in for the stage's `http1/body-reader.ts` while your `ChunkedReader` serves real traffic: it is the stage's file, with your
// reader, behind its adapter, in the place of the stage's own.

import type { ChunkedOutput, ChunkedSink } from "../../../../stages/m5/src/http1/chunked-reader.ts";
import type { ResponseBody } from "../../../../stages/m5/src/http1/framing.ts";
import type { Refusal } from "../../../../stages/m5/src/http1/refusal.ts";
import { ChunkedReader } from "./chunked-adapter.ts";

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
