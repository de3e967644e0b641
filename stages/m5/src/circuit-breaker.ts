// Stops asking a cell that keeps failing: it gets time to recover, and its clients a fast response. One breaker per
// placement. `attempt-failure.ts` and `retry-policy.ts` say what a failure is; `failover.ts`, who serves while the circuit is open.

import { FailureWindow } from "./failure-window.ts";
import type { CircuitBreakerSettings } from "./resilience-settings.ts";

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
      const { probesInFlight, successes } = this.#state;
      // Successes keep their slots: the phase ends after exactly this many results, it does not let more in.
      if (probesInFlight + successes >= this.#settings.halfOpenProbes) {
        return { allowed: false, retryAfterMs: this.#settings.waitMs };
      }
      this.#state = { ...this.#state, probesInFlight: probesInFlight + 1 };
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

  readonly #record = (generation: number, outcome: AttemptOutcome, nowMs: number): void => {
    if (generation !== this.#generation) return;
    if (this.#state.kind === "closed") this.#recordClosed(this.#state.consecutiveFailures, outcome, nowMs);
    else if (this.#state.kind === "half-open") this.#recordProbe(this.#state, outcome, nowMs);
  };

  #recordClosed(failuresBefore: number, outcome: AttemptOutcome, nowMs: number): void {
    if (outcome === "abandoned") return;
    this.#window.add(outcome === "failure", nowMs);
    if (outcome === "success") {
      if (failuresBefore > 0) this.#state = CLOSED;
      return;
    }
    const consecutiveFailures = failuresBefore + 1;
    this.#state = { kind: "closed", consecutiveFailures };
    const { consecutiveFailures: limit, minimumRequests, failureRatio, waitMs, maxWaitMs } = this.#settings;
    const { total, failures } = this.#window;
    // A ratio of two requests means nothing: below the minimum only failures in a row count.
    const ratioReached = total >= minimumRequests && failures >= failureRatio * total;
    if (consecutiveFailures >= limit || ratioReached) {
      this.#moveTo({ kind: "open", openedAtMs: nowMs, waitMs: Math.min(waitMs, maxWaitMs) }, nowMs);
    }
  }

  #recordProbe(state: BreakerState & { kind: "half-open" }, outcome: AttemptOutcome, nowMs: number): void {
    if (outcome === "failure") {
      const waitMs = Math.min(this.#settings.maxWaitMs, state.waitMs * 2);
      this.#moveTo({ kind: "open", openedAtMs: nowMs, waitMs }, nowMs);
      return;
    }
    // An abandoned probe frees its slot and proves nothing: another request gets to try.
    const successes = state.successes + (outcome === "success" ? 1 : 0);
    this.#state = { ...state, probesInFlight: state.probesInFlight - 1, successes };
    this.#closeIfProven(successes, nowMs);
  }

  #closeIfProven(successes: number, nowMs: number): void {
    if (successes < this.#settings.halfOpenProbes) return;
    // The failures that opened the circuit are over; they must not open it again.
    this.#window = new FailureWindow(this.#settings.windowMs);
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
