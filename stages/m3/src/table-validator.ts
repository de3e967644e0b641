// Validates the tables that come over a link, in a bounded time, and counts that time. Each one gets a verdict: a table
// that cannot be validated is refused, with the reason.

import type { Clock } from "./clock.ts";
import type { TimeBudget } from "./intake-budget.ts";
import type { Validated } from "./protocol.ts";
import { decodeTable, decodeTableOffloaded, offloadedFromBytes } from "./table-decoder.ts";

/** Work that takes longer is given up, in milliseconds. */
const timeoutMs = 30_000;

export class TableValidator {
  readonly #clock: Clock;
  readonly #decodeOffloaded: typeof decodeTableOffloaded;
  readonly #stop = new AbortController();
  /** Pays for the work; undefined while nobody limits it. */
  budget: TimeBudget | undefined;

  /** @param decodeOffloaded How a large table is read: in another thread. */
  constructor(clock: Clock, decodeOffloaded = decodeTableOffloaded) {
    this.#clock = clock;
    this.#decodeOffloaded = decodeOffloaded;
  }

  /** Gives up the work in progress: a stop must end in time, whatever a control plane has sent. */
  close(): void {
    this.#stop.abort(new Error("this process stops"));
  }

  /** Small tables at once, large ones in another thread. Never rejects. */
  async validate(tableJson: Uint8Array): Promise<Validated> {
    try {
      return await this.timed(async (signal) =>
        tableJson.length < offloadedFromBytes
          ? decodeTable(tableJson)
          : await this.#decodeOffloaded(tableJson, signal),
      );
    } catch (error) {
      return { ok: false, faults: [`(document): could not be validated: ${error}`] };
    }
  }

  /** Takes the time of `work` from the budget, and aborts the signal when it takes too long. Rejects as `work` does. */
  async timed<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const [tooLong, done] = [new AbortController(), new AbortController()];
    const startedAtMs = this.#clock.now();
    this.#clock.sleep(timeoutMs, done.signal).then(
      () => tooLong.abort(new Error(`it took longer than ${timeoutMs} ms`)),
      () => {},
    );
    try {
      return await work(AbortSignal.any([tooLong.signal, this.#stop.signal]));
    } finally {
      done.abort();
      const nowMs = this.#clock.now();
      this.budget?.spend(nowMs - startedAtMs, nowMs);
    }
  }
}
