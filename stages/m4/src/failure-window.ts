// Counts successes and failures of the recent past for the circuit breaker. Ten slots stand for the window:
// memory and cost stay the same at one result per second and at a hundred thousand.

const SLOTS = 10;

// #region rolling-window
/** Totals of the last `windowMs`, to a tenth of it: between nine tenths and the whole window are counted. */
export class FailureWindow {
  readonly #slotMs: number;
  readonly #totals = new Float64Array(SLOTS);
  readonly #failed = new Float64Array(SLOTS);
  #newestSlot = Number.NEGATIVE_INFINITY;
  #total = 0;
  #failures = 0;

  /** @param windowMs Length of the window in milliseconds, more than 0. */
  constructor(windowMs: number) {
    this.#slotMs = windowMs / SLOTS;
  }

  /** Results in the window, as of the last `add`. */
  get total(): number {
    return this.#total;
  }

  /** Failures in the window, as of the last `add`. */
  get failures(): number {
    return this.#failures;
  }

  add(failed: boolean, nowMs: number): void {
    this.#dropOldSlots(nowMs);
    const index = modulo(this.#newestSlot, SLOTS);
    this.#totals[index] = (this.#totals[index] ?? 0) + 1;
    this.#total += 1;
    if (!failed) return;
    this.#failed[index] = (this.#failed[index] ?? 0) + 1;
    this.#failures += 1;
  }

  #dropOldSlots(nowMs: number): void {
    const slot = Math.floor(nowMs / this.#slotMs);
    // A clock that went back adds to the newest slot: nothing is dropped twice.
    if (slot <= this.#newestSlot) return;
    const firstToClear = Math.max(this.#newestSlot + 1, slot - SLOTS + 1);
    for (let each = firstToClear; each <= slot; each++) {
      const index = modulo(each, SLOTS);
      this.#total -= this.#totals[index] ?? 0;
      this.#failures -= this.#failed[index] ?? 0;
      this.#totals[index] = 0;
      this.#failed[index] = 0;
    }
    this.#newestSlot = slot;
  }
}
// #endregion rolling-window

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
