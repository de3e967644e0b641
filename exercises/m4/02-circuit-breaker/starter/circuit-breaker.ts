// Stops asking a cell that keeps failing: it gets time to recover, and its clients a fast response. One breaker per
// placement. `attempt-failure.ts` and `retry-policy.ts` say what a failure is; `failover.ts`, who serves while the circuit is open.

import { FailureWindow } from "../../../../stages/m4/src/failure-window.ts";
import type { CircuitBreakerSettings } from "../../../../stages/m4/src/resilience-settings.ts";

export type BreakerState =
  | { readonly kind: "closed"; readonly consecutiveFailures: number }
  | { readonly kind: "open"; readonly openedAtMs: number; readonly waitMs: number }
  | {
      readonly kind: "half-open";
      /** The wait that led here; a failure doubles it. */
      readonly waitMs: number;
      readonly probesInFlight: number;
      readonly successes: number;
    };

/** `abandoned`: it says nothing about the cell, such as when the client left first. */
export type AttemptOutcome = "success" | "failure" | "abandoned";

/** The right to make one attempt. Whoever holds it must record an outcome on every way out, an abort included. */
export interface BreakerPermit {
  readonly allowed: true;
  /** Tells how the attempt went. Only the first call counts. */
  record(outcome: AttemptOutcome, nowMs: number): void;
}

/** `retryAfterMs`: when to ask again; an estimate while the probes of half-open are under way. */
export interface BreakerRefusal {
  readonly allowed: false;
  readonly retryAfterMs: number;
}

export type TransitionListener = (to: BreakerState, from: BreakerState, nowMs: number) => void;

const CLOSED: BreakerState = { kind: "closed", consecutiveFailures: 0 };

// #region circuit-breaker
/**
 * closed → open → half-open → closed or open again. There is no timer: an open circuit becomes half-open when
 * the first request after the wait asks for it.
 */
export class CircuitBreaker {
  #settings: CircuitBreakerSettings;
  #state: BreakerState = CLOSED;
  #window: FailureWindow;
  // One more for each transition. A permit carries its number: a result from an older state says nothing about this one.
  #generation = 0;
  readonly #onTransition: TransitionListener | undefined;

  constructor(settings: CircuitBreakerSettings, onTransition?: TransitionListener) {
    this.#settings = settings;
    this.#window = new FailureWindow(settings.windowMs);
    this.#onTransition = onTransition;
  }

  /** A permit for one attempt, or the reason to go elsewhere. */
  allow(nowMs: number): BreakerPermit | BreakerRefusal {
    if (this.#state.kind === "open") {
      const { openedAtMs, waitMs } = this.#state;
      const remainingMs = openedAtMs + waitMs - nowMs;
      if (remainingMs > 0) return { allowed: false, retryAfterMs: Math.min(waitMs, Math.ceil(remainingMs)) };
      this.#moveTo(halfOpen(waitMs), nowMs);
    }
    if (this.#state.kind === "half-open") {
      this.#state = { ...this.#state, probesInFlight: this.#state.probesInFlight + 1 };
    }
    return new NumberedPermit(this.#generation, this.#record);
  }

  /** The state at `nowMs`, for display. Reading causes no transition and no event. */
  state(nowMs: number): BreakerState {
    const state = this.#state;
    const hasWaited = state.kind === "open" && nowMs >= state.openedAtMs + state.waitMs;
    return hasWaited ? halfOpen(state.waitMs) : state;
  }

  /** Changes the thresholds. State and counts stay, but a new `windowMs` starts an empty window. */
  reconfigure(settings: CircuitBreakerSettings, nowMs: number): void {
    if (settings.windowMs !== this.#settings.windowMs) this.#window = new FailureWindow(settings.windowMs);
    this.#settings = settings;
    // With fewer probes required, those that passed may be enough, and no further result would close the circuit.
    if (this.#state.kind === "half-open") this.#closeIfProven(this.#state.successes, nowMs);
  }

  readonly #record = (_generation: number, outcome: AttemptOutcome, nowMs: number): void => {
    if (this.#state.kind === "closed") this.#recordClosed(this.#state.consecutiveFailures, outcome, nowMs);
    else if (this.#state.kind === "half-open") this.#recordProbe(this.#state, outcome, nowMs);
  };

  #recordClosed(failuresBefore: number, outcome: AttemptOutcome, nowMs: number): void {
    this.#window.add(outcome !== "success", nowMs);
    if (outcome === "success") return;
    this.#state = { kind: "closed", consecutiveFailures: failuresBefore + 1 };
    const { failureRatio, waitMs, maxWaitMs } = this.#settings;
    const { total, failures } = this.#window;
    if (failures >= failureRatio * total) {
      this.#moveTo({ kind: "open", openedAtMs: nowMs, waitMs: Math.min(waitMs, maxWaitMs) }, nowMs);
    }
  }

  #recordProbe(state: BreakerState & { kind: "half-open" }, outcome: AttemptOutcome, nowMs: number): void {
    if (outcome === "failure") {
      this.#moveTo({ kind: "open", openedAtMs: nowMs, waitMs: state.waitMs }, nowMs);
      return;
    }
    const successes = state.successes + (outcome === "success" ? 1 : 0);
    this.#state = { ...state, probesInFlight: state.probesInFlight - 1, successes };
    this.#closeIfProven(successes, nowMs);
  }

  #closeIfProven(successes: number, nowMs: number): void {
    if (successes < this.#settings.halfOpenProbes) return;
    this.#moveTo(CLOSED, nowMs);
  }

  #moveTo(to: BreakerState, nowMs: number): void {
    const from = this.#state;
    this.#state = to;
    this.#generation += 1;
    this.#onTransition?.(to, from, nowMs);
  }
}
// #endregion circuit-breaker

class NumberedPermit implements BreakerPermit {
  readonly allowed = true;
  readonly #generation: number;
  #report: ((generation: number, outcome: AttemptOutcome, nowMs: number) => void) | undefined;

  constructor(
    generation: number,
    report: (generation: number, outcome: AttemptOutcome, nowMs: number) => void,
  ) {
    this.#generation = generation;
    this.#report = report;
  }

  record(outcome: AttemptOutcome, nowMs: number): void {
    const report = this.#report;
    this.#report = undefined;
    report?.(this.#generation, outcome, nowMs);
  }
}

function halfOpen(waitMs: number): BreakerState {
  return { kind: "half-open", waitMs, probesInFlight: 0, successes: 0 };
}
