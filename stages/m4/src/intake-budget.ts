// How much of its time a router gives to its control plane: a share in the long run, and more at once for an ordinary
// change. A control plane that sends without a pause has to wait, whatever it sends. Pure: time is an argument.

export interface BudgetLimits {
  /** Part of the time that may be spent. */
  readonly share: number;
  /** Time that may be spent at once after a quiet while, in milliseconds. */
  readonly burstMs: number;
}

/** The largest debt, in milliseconds: a process that was paused in the middle has not worked all that time. */
const maxDebtMs = 5_000;

export class TimeBudget {
  readonly #limits: BudgetLimits;
  #balanceMs: number;
  #atMs: number;

  constructor(limits: BudgetLimits, nowMs: number) {
    this.#limits = limits;
    this.#balanceMs = limits.burstMs;
    this.#atMs = nowMs;
  }

  /** Notes that `costMs` of work have just been done. */
  spend(costMs: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#balanceMs = Math.max(this.#balanceMs - costMs, -maxDebtMs);
  }

  /** How long the next piece of work has to wait, in milliseconds. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    return Math.max(0, -this.#balanceMs / this.#limits.share);
  }

  #refill(nowMs: number): void {
    const { burstMs, share } = this.#limits;
    this.#balanceMs = Math.min(burstMs, this.#balanceMs + (nowMs - this.#atMs) * share);
    this.#atMs = nowMs;
  }
}

/** What comes over a link costs time twice, a tenth of all time together: nine tenths are left for requests. */
export class IntakeBudget {
  /** For reading. It goes on while the work waits, so that the newest table is at hand when its time has come. */
  readonly reading: TimeBudget;
  /** For looking into a table and putting it to use. */
  readonly work: TimeBudget;

  constructor(nowMs: number) {
    this.reading = new TimeBudget({ share: 0.02, burstMs: 500 }, nowMs);
    this.work = new TimeBudget({ share: 0.08, burstMs: 1_000 }, nowMs);
  }
}
