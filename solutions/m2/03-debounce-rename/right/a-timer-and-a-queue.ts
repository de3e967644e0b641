// When to read a file that keeps changing: once it has been quiet for a moment, at the latest after a few moments, and
// never twice at the same time. What is read, and what becomes of it, is the reader's business.

import type { Clock } from "../../../../stages/m2/src/clock.ts";

/** A write often comes in several steps; the file is read once it has been quiet for this long, in milliseconds. */
const settleMs = 20;

/** A file that is never quiet is read all the same, this long after the first sign, in milliseconds. */
const patienceMs = 100;

export class SettlingReads {
  readonly #clock: Clock;
  readonly #read: () => Promise<void>;
  #timer = new AbortController();
  #firstSignMs: number | undefined;
  #reading = false;
  #closed = false;

  /** @param read Reads the file, which may take a while. Never rejects. */
  constructor(clock: Clock, read: () => Promise<void>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** Something may have changed: a read that begins after this call, and after some quiet, must follow. */
  notice(): void {
    if (this.#closed) return;
    this.#firstSignMs ??= this.#clock.now();
    if (!this.#reading) this.#setTimer(this.#firstSignMs);
  }

  /** No read begins after this. */
  close(): void {
    this.#closed = true;
    this.#timer.abort();
  }

  /** Each sign sets the timer anew, never beyond the patience that the first sign left. */
  #setTimer(firstSignMs: number): void {
    this.#timer.abort();
    this.#timer = new AbortController();
    const leftMs = Math.max(0, Math.min(settleMs, firstSignMs + patienceMs - this.#clock.now()));
    this.#clock.sleep(leftMs, this.#timer.signal).then(
      () => this.#readNow(),
      () => {},
    );
  }

  async #readNow(): Promise<void> {
    this.#firstSignMs = undefined;
    this.#reading = true;
    await this.#read();
    this.#reading = false;
    // What came meanwhile waits from now on.
    if (this.#firstSignMs !== undefined && !this.#closed) {
      this.#firstSignMs = this.#clock.now();
      this.#setTimer(this.#firstSignMs);
    }
  }
}
