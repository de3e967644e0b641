// Limits how much retries add to the load of a cell. Without it, an outage multiplies the load by the number of attempts
// at the very moment when the cell can bear it least. One budget per placement: a cell in trouble must not spend
// the retries of the others.

import type { RetryBudgetSettings } from "./resilience-settings.ts";

// Ten requests that pay a tenth each must buy one retry, in floating point too.
const ROUNDING = 1e-9;

// #region retry-budget
/**
 * An account of retries: every request pays `ratio` in, every retry takes 1 out, and it is never overdrawn. Under a
 * full outage a busy cell therefore sees at most 1 + `ratio` times its load. `minPerSecond` lets a placement with
 * few requests retry at all, and there it is the bound: the time since the latest request pays in when that is
 * more than `ratio`. `maxBalance` keeps an hour without failures from paying for a storm of retries.
 *
 * @see https://sre.google/sre-book/handling-overload/ Per-client retry budget
 */
export class RetryBudget {
  #settings: RetryBudgetSettings;
  #balance: number;
  #paidAtMs: number | undefined;

  /** A new account holds what the minimum brings in one second. */
  constructor(settings: RetryBudgetSettings) {
    this.#settings = settings;
    this.#balance = Math.min(settings.maxBalance, settings.minPerSecond);
  }

  /** Retries that could be taken out now, fractions included. */
  get balance(): number {
    return this.#balance;
  }

  /**
   * Pays in for one request: `ratio`, or what `minPerSecond` brings in the time since the latest deposit, whichever
   * is larger. The first deposit, and one whose time lies before the latest, pay `ratio`.
   * Call it once per request, not once per attempt: retries must not pay for retries.
   */
  deposit(nowMs: number): void {
    const { ratio, minPerSecond, maxBalance } = this.#settings;
    const elapsedMs = Math.max(0, nowMs - (this.#paidAtMs ?? nowMs));
    // The larger one, not both: a busy placement has no use for the minimum, and the ratio stays the bound.
    const paidIn = Math.max(ratio, (minPerSecond * elapsedMs) / 1000);
    this.#balance = Math.min(maxBalance, this.#balance + paidIn);
    if (this.#paidAtMs === undefined || nowMs > this.#paidAtMs) this.#paidAtMs = nowMs;
  }

  /** Takes one retry out, or returns false and takes nothing. */
  tryWithdraw(): boolean {
    if (this.#balance < 1 - ROUNDING) return false;
    this.#balance = Math.max(0, this.#balance - 1);
    return true;
  }

  /** Changes the settings. What has been paid in stays, up to the new maximum. */
  reconfigure(settings: RetryBudgetSettings): void {
    this.#settings = settings;
    this.#balance = Math.min(settings.maxBalance, this.#balance);
  }
}
// #endregion retry-budget
