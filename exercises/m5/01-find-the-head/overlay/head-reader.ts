// Stands in for the stage's `http1/head-reader.ts` while your `HeadReader` serves real traffic: the stage asks for a head as a
// range of bytes, and whether one has begun.

import { type HeadProgress, HeadReader as YourHeadReader } from "../starter/head-reader.ts";

export { type HeadProgress, maxHeadBytes } from "../starter/head-reader.ts";

const nothing = Buffer.alloc(0);

export class HeadReader {
  bytes: Buffer = nothing;
  from = 0;
  to = 0;
  next = 0;
  #yours = new YourHeadReader();
  #started = false;

  get started(): boolean {
    return this.#started;
  }

  reset(): void {
    this.#yours = new YourHeadReader();
    this.#started = false;
  }

  push(chunk: Buffer, from: number, to: number): HeadProgress {
    const progress = this.#yours.push(chunk, from, to);
    this.#started = progress === "partial";
    if (progress === "complete") {
      this.bytes = this.#yours.head;
      this.to = this.bytes.length;
      this.next = this.#yours.next;
    }
    return progress;
  }
}
