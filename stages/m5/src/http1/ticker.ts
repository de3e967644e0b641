// Time limits of connections at next to no cost: a limit is one number on the connection, and every tick looks at all of
// them. A timer of its own for each request would cost more than reading the request's head does.

/** How exact limits are: they end up to one tick late, never early. */
export const tickMs = 250;

/** What a ticker needs of the router's clock. */
export interface TickerClock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Something with a limit. */
export interface Timed {
  /** When to call `onDeadline`, by the ticker's `nowMs`; infinite for never. */
  readonly deadlineMs: number;
  /** The limit has passed. Must put `deadlineMs` elsewhere. */
  onDeadline(): void;
}

export const never = Number.POSITIVE_INFINITY;

// #region ticker
export class Ticker {
  readonly #clock: TickerClock;
  readonly #timed = new Set<Timed>();
  #nowMs: number;

  constructor(clock: TickerClock) {
    this.#clock = clock;
    this.#nowMs = clock.now();
  }

  /** When a limit of `ms` that starts now ends. The time known here may be one tick old, so one is added. */
  deadlineIn(ms: number): number {
    return this.#nowMs + ms + tickMs;
  }

  add(timed: Timed): void {
    this.#timed.add(timed);
  }

  delete(timed: Timed): void {
    this.#timed.delete(timed);
  }

  /** Ticks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(tickMs, signal).catch(() => {});
      this.tick();
    }
  }

  tick(): void {
    this.#nowMs = this.#clock.now();
    for (const timed of this.#timed) {
      if (timed.deadlineMs <= this.#nowMs) timed.onDeadline();
    }
  }
}
// #endregion ticker
