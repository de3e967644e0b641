// When to read a file that keeps changing: once it has been quiet for a moment, at the latest after a few moments, and
// never twice at the same time. What is read, and what becomes of it, is the reader's business.

import type { Clock } from "../../../../stages/m2/src/clock.ts";

/** A write often comes in several steps; the file is read once it has been quiet for this long, in milliseconds. */
const settleMs = 20;

export class SettlingReads {
  readonly #clock: Clock;
  readonly #read: () => Promise<void>;
  #wait = new AbortController();

  /** @param read Reads the file, which may take a while. Never rejects. */
  constructor(clock: Clock, read: () => Promise<void>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** Something may have changed: a read that begins after this call, and after some quiet, must follow. */
  notice(): void {
    // A further change begins the wait anew.
    this.#wait.abort();
    this.#wait = new AbortController();
    this.#clock.sleep(settleMs, this.#wait.signal).then(
      () => this.#read(),
      () => {},
    );
  }

  /** No read begins after this. */
  close(): void {
    this.#wait.abort();
  }
}
