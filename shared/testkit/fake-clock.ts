// A clock that moves only when a test says so: time as an argument, for everything that takes a `Clock`. It replaces no
// global timer, so sockets beside it keep working.

/** Structurally the `Clock` of the stages, which this folder must not import. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** How many `sleep` calls are waiting: lets a test advance only once its subject sleeps. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Milliseconds until the next sleeper wakes; undefined when none sleeps. */
  get nextWakeInMs(): number | undefined {
    const first = this.#first();
    return first === undefined ? undefined : first.atMs - this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sleeper: Sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          signal?.removeEventListener("abort", abort);
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      const abort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /**
   * Moves time on by `ms`, waking sleepers in the order of their time. What a woken sleeper does runs before the next
   * one wakes, so a loop that sleeps again inside the span is woken again.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#first(); next !== undefined && next.atMs <= untilMs; next = this.#first()) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const each of this.#sleepers) if (first === undefined || each.atMs < first.atMs) first = each;
    return first;
  }
}

/** Lets every promise that is ready run, however long the chain: a macrotask comes after all microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
