// Time limits of thousands of connections with one timer: a limit is one number on the connection, and every tick looks at
// all of them.

/** How exact limits are: they end up to two ticks late. */
export const tickMs = 250;

/** The most that one tick counts. What goes beyond it, this process stood still: it was paused, or starved of CPU time. */
const maxStepMs = 2 * tickMs;

/** How many ticks are remembered for `worstDelayMs`. */
const rememberedTicks = 40;

/** What a ticker needs of the router's clock. */
export interface TickerClock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Something with a limit. */
export interface Timed {
  /** When to call `onDeadline`, by the ticker's time; infinite for never. */
  readonly deadlineMs: number;
  /** The limit has passed. Must put `deadlineMs` elsewhere. */
  onDeadline(): void;
}

export const never = Number.POSITIVE_INFINITY;

// #region ticker
/**
 * Its time is this process's own: it stands still while the process does. A router that was paused for 14 s would otherwise
 * wake up, find that every cell has taken too long, and blame them all.
 */
export class Ticker {
  readonly #clock: TickerClock;
  readonly #timed = new Set<Timed>();
  #nowMs = 0;
  #tickedAtMs: number;
  /** How late the last ticks were, in milliseconds. */
  readonly #delaysMs = new Float64Array(rememberedTicks);
  #ticks = 0;

  constructor(clock: TickerClock) {
    this.#clock = clock;
    this.#tickedAtMs = clock.now();
  }

  /** When a limit of `ms` that starts now ends. */
  deadlineIn(ms: number): number {
    return this.#nowMs + ms;
  }

  /** The time for others, which does not stand still. */
  get clockMs(): number {
    return this.#clock.now();
  }

  /** The same as of the last tick, at no cost. */
  get tickedAtMs(): number {
    return this.#tickedAtMs;
  }

  /** How late timers were run at worst in the last ten seconds: what this process had no time for waited as long. */
  get worstDelayMs(): number {
    return Math.max(...this.#delaysMs);
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
    // Judged by the time of the last tick: what had come by then has been read. After a pause, the responses that wait in
    // the sockets are read before anybody is judged.
    for (const timed of this.#timed) {
      if (timed.deadlineMs <= this.#nowMs) timed.onDeadline();
    }
    const clockMs = this.#clock.now();
    const elapsedMs = clockMs - this.#tickedAtMs;
    this.#nowMs += Math.min(elapsedMs, maxStepMs);
    this.#tickedAtMs = clockMs;
    this.#delaysMs[this.#ticks++ % rememberedTicks] = Math.max(0, elapsedMs - tickMs);
  }
}
// #endregion ticker
