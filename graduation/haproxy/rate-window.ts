// A token bucket in HAProxy's terms. HAProxy counts events in a sliding window, so a bucket becomes "at most `most` accepted
// requests within `periodMs`": the same long-run rate, and the same burst out of quiet.

import type { RateLimitSettings } from "../../stages/m4/src/resilience-settings.ts";

export interface RateWindow {
  /** Accepted requests that the window may hold. */
  readonly most: number;
  readonly periodMs: number;
  /** What a refused client is told: the time that one token needs, in whole seconds. */
  readonly retryAfterSeconds: number;
}

/** HAProxy's clock ticks in milliseconds, and only between two rounds of events. */
const shortestPeriodMs = 10;
/** HAProxy reads times as 32-bit numbers. */
const longestPeriodMs = 2_000_000_000;

/**
 * The window of a bucket. A burst that would fill up again within 10 ms becomes a larger one: HAProxy cannot count such
 * short windows.
 */
export function rateWindow({ ratePerSecond, burst }: RateLimitSettings): RateWindow {
  const most = Math.max(Math.floor(burst), Math.round((ratePerSecond * shortestPeriodMs) / 1000));
  const periodMs = Math.max(1, Math.round((most * 1000) / ratePerSecond));
  const retryAfterSeconds = Math.max(1, Math.ceil(1 / ratePerSecond));
  return { most, periodMs: Math.min(periodMs, longestPeriodMs), retryAfterSeconds };
}

/** The stick table that counts in windows of this length. */
export function rateTable(periodMs: number): string {
  return `rates_${periodMs}ms`;
}
