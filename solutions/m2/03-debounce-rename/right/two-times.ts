// When to read a file that keeps changing: once it has been quiet for a moment, at the latest after a few moments, and
// never twice at the same time. What is read, and what becomes of it, is the reader's business.

import type { Clock } from "../../../../stages/m2/src/clock.ts";

/** A write often comes in several steps; the file is read once it has been quiet for this long, in milliseconds. */
const settleMs = 20;

/** A file that is never quiet is read all the same, this long after the first sign of a change, in milliseconds. */
const patienceMs = 100;

export class SettlingReads {
  readonly #clock: Clock;
  readonly #read: () => Promise<void>;
  readonly #closing = new AbortController();
  /** First and last sign of a change that no read has begun after. */
  #signs: { readonly firstMs: number; lastMs: number } | undefined;
  #busy = false;

  /** @param read Reads the file, which may take a while. Never rejects. */
  constructor(clock: Clock, read: () => Promise<void>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** Something may have changed: a read that begins after this call, and after some quiet, must follow. */
  notice(): void {
    const nowMs = this.#clock.now();
    if (this.#signs === undefined) this.#signs = { firstMs: nowMs, lastMs: nowMs };
    else this.#signs.lastMs = nowMs;
    if (!this.#busy) void this.#settle();
  }

  /** No read begins after this. */
  close(): void {
    this.#closing.abort();
  }

  async #settle(): Promise<void> {
    this.#busy = true;
    const { signal } = this.#closing;
    while (this.#signs !== undefined && !signal.aborted) {
      const { firstMs, lastMs } = this.#signs;
      const leftMs = Math.min(lastMs + settleMs, firstMs + patienceMs) - this.#clock.now();
      if (leftMs > 0) {
        await this.#clock.sleep(leftMs, signal).catch(() => {});
        continue;
      }
      this.#signs = undefined;
      await this.#read();
    }
    this.#busy = false;
  }
}
