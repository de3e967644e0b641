// When to read a file that keeps changing: once it has been quiet for a moment, at the latest after a few moments, and
// never twice at the same time. What is read, and what becomes of it, is the reader's business.

import type { Clock } from "../../../../stages/m2/src/clock.ts";

/** A write often comes in several steps; the file is read once it has been quiet for this long, in milliseconds. */
const settleMs = 20;

/** A file that is never quiet is read all the same, after this many times `settleMs`. */
const maxSettles = 5;

export class SettlingReads {
  readonly #clock: Clock;
  readonly #read: () => Promise<void>;
  readonly #closing = new AbortController();
  #changed = false;
  #running = false;

  /** @param read Reads the file, which may take a while. Never rejects. */
  constructor(clock: Clock, read: () => Promise<void>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** Something may have changed: a read that begins after this call, and after some quiet, must follow. */
  notice(): void {
    this.#changed = true;
    if (!this.#running) void this.#follow();
  }

  /** No read begins after this. */
  close(): void {
    this.#closing.abort();
  }

  /** One read after the other: a slow read of old content can never overwrite what a later read found. */
  async #follow(): Promise<void> {
    this.#running = true;
    const { signal } = this.#closing;
    while (this.#changed && !signal.aborted) {
      for (let settles = 0; this.#changed && settles < maxSettles; settles++) {
        this.#changed = false;
        await this.#clock.sleep(settleMs, signal).catch(() => {});
      }
      // Before the read, not after it: a change during the read asks for another one.
      this.#changed = false;
      if (!signal.aborted) await this.#read();
    }
  }
}
