// Rate limits as token buckets: one bucket, and a set of them by routing key. No timer fills a bucket: each
// look first adds what has flowed in since the last one. The response 429 is left to `proxy.ts`.

import type { RateLimitSettings } from "./resilience-settings.ts";

/** `retryAfterMs`: whole milliseconds after which one token will be there, if nobody else takes it. */
export type TakeResult = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

// The common response allocates nothing.
const TAKEN: TakeResult = { ok: true };

// Ten tenths of a token must make one, in floating point too.
const ROUNDING = 1e-9;

// #region token-bucket
/** Lets `burst` requests through at once and `ratePerSecond` in the long run. A new bucket is full. */
export class TokenBucket {
  #settings: RateLimitSettings;
  #tokens: number;
  #filledAtMs: number;

  /** @throws RangeError when `ratePerSecond` is not positive or `burst` is below 1. */
  constructor(settings: RateLimitSettings, nowMs: number) {
    this.#settings = checked(settings);
    this.#tokens = settings.burst;
    this.#filledAtMs = nowMs;
  }

  get settings(): RateLimitSettings {
    return this.#settings;
  }

  /** Takes one token, or says when there will be one. */
  tryTake(nowMs: number): TakeResult {
    this.#fill(nowMs);
    if (this.#tokens >= 1 - ROUNDING) {
      this.#tokens -= 1;
      return TAKEN;
    }
    const missing = 1 - ROUNDING - this.#tokens;
    // Nothing flows in before the time of the last filling, which is ahead of a clock that went back.
    const behindMs = this.#filledAtMs - nowMs;
    return { ok: false, retryAfterMs: Math.ceil(behindMs + (missing / this.#settings.ratePerSecond) * 1000) };
  }

  /** Tokens in the bucket at `nowMs`, fractions included. Changes nothing. */
  level(nowMs: number): number {
    return Math.max(0, this.#levelAt(nowMs));
  }

  /** Changes the limit. A bucket that was half full is half full afterwards: a push neither refills nor drains it. */
  reconfigure(settings: RateLimitSettings, nowMs: number): void {
    this.#fill(nowMs);
    this.#tokens *= checked(settings).burst / this.#settings.burst;
    this.#settings = settings;
  }

  #fill(nowMs: number): void {
    this.#tokens = this.#levelAt(nowMs);
    // A clock that went back is not followed: the same stretch of time would fill the bucket twice.
    if (nowMs > this.#filledAtMs) this.#filledAtMs = nowMs;
  }

  #levelAt(nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    const { ratePerSecond, burst } = this.#settings;
    return Math.min(burst, this.#tokens + (elapsedMs * ratePerSecond) / 1000);
  }
}
// #endregion token-bucket

/** The part of a routing table that limits routing keys. */
export interface KeyLimits {
  /** Keys that the table routes. One of these without a limit of its own has none. */
  readonly placementByKey: ReadonlyMap<string, unknown>;
  readonly keyLimits?: ReadonlyMap<string, RateLimitSettings> | undefined;
  readonly unlistedKeysLimit?: RateLimitSettings | undefined;
}

// #region keyed-buckets
/**
 * One bucket for each key in `keyLimits`, and one for all keys that the table does not name anywhere.
 *
 * Buckets are made from the table only, never from a request: a client that invents a million keys meets one
 * shared bucket and costs no memory. The keys that the table routes stay out of that bucket, so that such a
 * client does not use up what belongs to a tenant.
 */
export class KeyedBuckets {
  #buckets: ReadonlyMap<string, TokenBucket> = new Map();
  #unlisted: TokenBucket | undefined;
  #routedKeys: ReadonlyMap<string, unknown> = new Map();

  /** How many buckets there are, the shared one included. */
  get size(): number {
    return this.#buckets.size + (this.#unlisted === undefined ? 0 : 1);
  }

  /** Follows a new table. A bucket whose key is still limited keeps its level. */
  update(limits: KeyLimits, nowMs: number): void {
    const next = new Map<string, TokenBucket>();
    for (const [key, settings] of limits.keyLimits ?? []) {
      next.set(key, carriedOver(this.#buckets.get(key), settings, nowMs));
    }
    this.#buckets = next;
    this.#unlisted = limits.unlistedKeysLimit && carriedOver(this.#unlisted, limits.unlistedKeysLimit, nowMs);
    this.#routedKeys = limits.placementByKey;
  }

  /** Takes one token for `routingKey`; always succeeds for a key without a limit. */
  tryTake(routingKey: string, nowMs: number): TakeResult {
    const own = this.#buckets.get(routingKey);
    if (own !== undefined) return own.tryTake(nowMs);
    if (this.#unlisted === undefined || this.#routedKeys.has(routingKey)) return TAKEN;
    return this.#unlisted.tryTake(nowMs);
  }
}
// #endregion keyed-buckets

function carriedOver(
  bucket: TokenBucket | undefined,
  settings: RateLimitSettings,
  nowMs: number,
): TokenBucket {
  if (bucket === undefined) return new TokenBucket(settings, nowMs);
  const { ratePerSecond, burst } = bucket.settings;
  if (ratePerSecond !== settings.ratePerSecond || burst !== settings.burst)
    bucket.reconfigure(settings, nowMs);
  return bucket;
}

function checked(settings: RateLimitSettings): RateLimitSettings {
  const { ratePerSecond, burst } = settings;
  if (!(ratePerSecond > 0)) throw new RangeError(`ratePerSecond must be more than 0, got ${ratePerSecond}`);
  if (!(burst >= 1)) throw new RangeError(`burst must be at least 1, got ${burst}`);
  return settings;
}
