// The optional settings of this milestone, as they stand in the routing table once it has been parsed: names,
// units, defaults. It leaves parsing and validation to `routing-table.ts`. Everything is optional: a part that a
// table does not name is switched off for that placement, so a table of an earlier milestone still works.

import type { BackoffSettings } from "./backoff.ts";

// `| undefined` beside `?`: a validator hands an absent field over as undefined.

/** Token bucket: at most `burst` requests at once and `ratePerSecond` in the long run. */
export interface RateLimitSettings {
  /** Tokens that flow in per second; more than 0, fractions allowed. */
  readonly ratePerSecond: number;
  /** Tokens that the bucket holds when full; at least 1. */
  readonly burst: number;
}

/** Active health check of one placement's endpoint. */
export interface HealthSettings {
  /** Path that the probe requests, beginning with `/`. @default "/health" */
  readonly path: string;
  /** Milliseconds from one probe's end to the next one's start, ±10 % jitter. @default 2000 */
  readonly intervalMs: number;
  /** A probe without a response after this many milliseconds has failed. @default 1000 */
  readonly timeoutMs: number;
  /** Successful probes in a row that make an unhealthy cell healthy; at least 1. @default 2 */
  readonly rise: number;
  /** Failed probes in a row that make a healthy cell unhealthy; at least 1. @default 3 */
  readonly fall: number;
}

/** Circuit breaker of one placement. It opens at whichever of the two thresholds is reached first. */
export interface CircuitBreakerSettings {
  /** Failures in a row that open the circuit; at least 1. @default 5 */
  readonly consecutiveFailures: number;
  /** Share of failures in the window that opens the circuit; more than 0, at most 1. @default 0.5 */
  readonly failureRatio: number;
  /** Length of the rolling window, in milliseconds. @default 10000 */
  readonly windowMs: number;
  /** Results that the window must hold before the ratio means anything; at least 1. @default 20 */
  readonly minimumRequests: number;
  /** How long the circuit stays open the first time, in milliseconds. @default 5000 */
  readonly waitMs: number;
  /** Each failed half-open phase doubles the wait, up to this many milliseconds. @default 60000 */
  readonly maxWaitMs: number;
  /** Requests that half-open lets through; all of them must succeed to close. At least 1. @default 3 */
  readonly halfOpenProbes: number;
}

/** Retries of requests to one placement: delays as in `backoff.ts`, and how many. */
export interface RetrySettings extends BackoffSettings {
  /** Attempts after the first: from 0 to `MOST_RETRIES`. @default 2 */
  readonly maxRetries: number;
  /** Ceiling of the first delay, in milliseconds. @default 25 */
  readonly baseMs: number;
  /** Ceiling of every delay, in milliseconds. @default 250 */
  readonly capMs: number;
}

/** How much load retries may add, for each placement on its own. */
export interface RetryBudgetSettings {
  /** Share of a retry that each request pays for; 0.2 allows one retry in five requests. @default 0.2 */
  readonly ratio: number;
  /** Retries per second that are allowed however few requests there are; 0 for none. @default 2 */
  readonly minPerSecond: number;
  /** Most retries that can be saved up in quiet times; at least 1. @default 10 */
  readonly maxBalance: number;
}

/** What a placement may carry besides its name, kind and URL. */
export interface PlacementResilience {
  /** Of all requests whose routing key leads to this placement. */
  readonly rateLimit?: RateLimitSettings | undefined;
  /** Most requests in flight at one moment (bulkhead); at least 1. */
  readonly concurrencyLimit?: number | undefined;
  readonly health?: HealthSettings | undefined;
  readonly circuitBreaker?: CircuitBreakerSettings | undefined;
  /** Placements that may serve in this one's stead, best first; no other one ever does. Each may name its own. */
  readonly fallback?: readonly string[] | undefined;
  readonly retries?: RetrySettings | undefined;
}

/** What the table may carry at its top level. */
export interface TableResilience {
  /** Rate limit of each routing key named here. */
  readonly keyLimits?: ReadonlyMap<string, RateLimitSettings> | undefined;
  /** One rate limit for all routing keys together that the table does not name anywhere. */
  readonly unlistedKeysLimit?: RateLimitSettings | undefined;
  readonly retryBudget?: RetryBudgetSettings | undefined;
}

/** A third retry hardly ever succeeds where two failed, and makes an outage worse for everyone. */
export const MOST_RETRIES = 2;

// #region defaults
/** For each field that `health` leaves out. */
export const DEFAULT_HEALTH: HealthSettings = {
  path: "/health",
  intervalMs: 2000,
  timeoutMs: 1000,
  rise: 2,
  fall: 3,
};

/** For each field that `circuitBreaker` leaves out. */
export const DEFAULT_CIRCUIT_BREAKER: CircuitBreakerSettings = {
  consecutiveFailures: 5,
  failureRatio: 0.5,
  windowMs: 10_000,
  minimumRequests: 20,
  waitMs: 5000,
  maxWaitMs: 60_000,
  halfOpenProbes: 3,
};

/** For each field that `retries` leaves out. */
export const DEFAULT_RETRIES: RetrySettings = { maxRetries: 2, baseMs: 25, capMs: 250 };

/** For each field that `retryBudget` leaves out, and for a table without one. */
export const DEFAULT_RETRY_BUDGET: RetryBudgetSettings = { ratio: 0.2, minPerSecond: 2, maxBalance: 10 };
// #endregion defaults
