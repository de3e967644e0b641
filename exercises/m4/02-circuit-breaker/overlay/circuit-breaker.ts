// Stands in for the stage's `circuit-breaker.ts` while your breaker serves real traffic: yours decides when to open, and starts
// afresh when the circuit closes. Half-open, which is the next exercise, is done here as the stage does it.

import type { CircuitBreakerSettings } from "../../../../stages/m4/src/resilience-settings.ts";
import {
  type AttemptOutcome,
  type BreakerPermit,
  type BreakerRefusal,
  type BreakerState,
  type TransitionListener,
  CircuitBreaker as YourCircuitBreaker,
} from "../starter/circuit-breaker.ts";

export type {
  AttemptOutcome,
  BreakerPermit,
  BreakerRefusal,
  BreakerState,
  TransitionListener,
} from "../starter/circuit-breaker.ts";

type HalfOpen = BreakerState & { readonly kind: "half-open" };

/** Your breaker while the circuit is closed, and the stage's phases from its opening to its closing. */
export class CircuitBreaker {
  #settings: CircuitBreakerSettings;
  readonly #yours: YourCircuitBreaker;
  /** Undefined while closed: then your breaker is asked. */
  #opened: Exclude<BreakerState, { kind: "closed" }> | undefined;
  #generation = 0;
  readonly #onTransition: TransitionListener | undefined;

  constructor(settings: CircuitBreakerSettings, onTransition?: TransitionListener) {
    this.#settings = settings;
    this.#yours = new YourCircuitBreaker(settings);
    this.#onTransition = onTransition;
  }

  allow(nowMs: number): BreakerPermit | BreakerRefusal {
    const opened = this.#opened;
    if (opened === undefined) {
      const permit = this.#yours.allow(nowMs);
      return permit.allowed ? this.#permit((outcome, atMs) => this.#pass(permit, outcome, atMs)) : permit;
    }
    if (opened.kind === "open") {
      const { waitMs } = opened;
      const remainingMs = opened.openedAtMs + waitMs - nowMs;
      if (remainingMs > 0) return { allowed: false, retryAfterMs: Math.min(waitMs, Math.ceil(remainingMs)) };
      this.#moveTo(halfOpen(waitMs), nowMs);
    }
    const phase = this.#opened as HalfOpen;
    if (phase.probesInFlight + phase.successes >= this.#settings.halfOpenProbes)
      return { allowed: false, retryAfterMs: this.#settings.waitMs };
    this.#opened = { ...phase, probesInFlight: phase.probesInFlight + 1 };
    return this.#permit((outcome, atMs) => this.#probed(this.#opened as HalfOpen, outcome, atMs));
  }

  state(nowMs: number): BreakerState {
    const state = this.#opened ?? this.#yours.state(nowMs);
    const hasWaited = state.kind === "open" && nowMs >= state.openedAtMs + state.waitMs;
    return hasWaited ? halfOpen(state.waitMs) : state;
  }

  reconfigure(settings: CircuitBreakerSettings, nowMs: number): void {
    this.#settings = settings;
    this.#yours.reconfigure(settings, nowMs);
    if (this.#opened?.kind === "half-open") this.#closeIfProven(this.#opened.successes, nowMs);
  }

  #pass(permit: BreakerPermit, outcome: AttemptOutcome, nowMs: number): void {
    permit.record(outcome, nowMs);
    const state = this.#yours.state(nowMs);
    if (state.kind === "open") this.#moveTo(state, nowMs);
  }

  #probed(phase: HalfOpen, outcome: AttemptOutcome, nowMs: number): void {
    if (outcome === "failure") {
      const waitMs = Math.min(this.#settings.maxWaitMs, phase.waitMs * 2);
      return this.#moveTo({ kind: "open", openedAtMs: nowMs, waitMs }, nowMs);
    }
    const successes = phase.successes + (outcome === "success" ? 1 : 0);
    this.#opened = { ...phase, probesInFlight: phase.probesInFlight - 1, successes };
    this.#closeIfProven(successes, nowMs);
  }

  #closeIfProven(successes: number, nowMs: number): void {
    if (successes < this.#settings.halfOpenProbes) return;
    // Yours has been waiting since it opened; as many successes as it wants close it, and there it starts afresh.
    const openMs = nowMs + this.#settings.maxWaitMs;
    for (let probe = 0; probe < this.#settings.halfOpenProbes; probe++) {
      const permit = this.#yours.allow(openMs);
      if (permit.allowed) permit.record("success", nowMs);
    }
    this.#moveTo(this.#yours.state(nowMs), nowMs);
  }

  #moveTo(to: BreakerState, nowMs: number): void {
    const from: BreakerState = this.#opened ?? { kind: "closed", consecutiveFailures: 0 };
    this.#opened = to.kind === "closed" ? undefined : to;
    this.#generation += 1;
    this.#onTransition?.(to, from, nowMs);
  }

  /** Tells only of the first result, and only while the state is that in which it was given. */
  #permit(tell: (outcome: AttemptOutcome, nowMs: number) => void): BreakerPermit {
    let generation: number | undefined = this.#generation;
    return {
      allowed: true,
      record: (outcome, nowMs) => {
        const isCurrent = generation === this.#generation;
        generation = undefined;
        if (isCurrent) tell(outcome, nowMs);
      },
    };
  }
}

function halfOpen(waitMs: number): HalfOpen {
  return { kind: "half-open", waitMs, probesInFlight: 0, successes: 0 };
}
