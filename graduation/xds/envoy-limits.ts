// Rate limits as Envoy's local rate limit filter takes them: buckets by descriptor in the filter, and on each route the
// descriptors that a request of it carries. A bucket on a route would be another one for each key.

import type { RateLimitSettings } from "../../stages/m4/src/resilience-settings.ts";
import { duration, type Fields, type RoutingTable, typed } from "./envoy-values.ts";

/** What a request is counted against, as descriptor entries. */
type Counted = readonly [entry: "placement" | "key" | "unlisted", value: string];

/** The filter, or undefined for a table without rate limits. */
export function rateLimitFilter(table: RoutingTable): Fields | undefined {
  const buckets = bucketsOf(table);
  if (buckets.length === 0) return undefined;
  const always = { default_value: { numerator: 100, denominator: "HUNDRED" } };
  return {
    name: "envoy.filters.http.local_ratelimit",
    typed_config: typed("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", {
      stat_prefix: "rate_limit",
      // 0 % unless said: it would count, and refuse nobody.
      filter_enabled: always,
      filter_enforced: always,
      enable_retry_after_header: true,
      descriptors: buckets.map(([[entry, value], limit]) => ({
        entries: [{ key: entry, value }],
        token_bucket: tokenBucket(limit),
      })),
    }),
  };
}

/** The `rate_limits` of a route: one descriptor for each limit that holds for `key`. Undefined stands for unlisted keys. */
export function rateLimitsOf(table: RoutingTable, placement: string, key: string | undefined): Fields {
  const counted = bucketsOf(table)
    .map(([each]) => each)
    .filter(([entry, value]) => {
      if (entry === "placement") return value === placement;
      return entry === "key" ? value === key : key === undefined;
    });
  if (counted.length === 0) return {};
  return {
    rate_limits: counted.map(([descriptor_key, descriptor_value]) => ({
      actions: [{ generic_key: { descriptor_key, descriptor_value } }],
    })),
  };
}

function bucketsOf(table: RoutingTable): [Counted, RateLimitSettings][] {
  const buckets: [Counted, RateLimitSettings][] = [];
  for (const { name, rateLimit } of table.placements.values())
    if (rateLimit !== undefined) buckets.push([["placement", name], rateLimit]);
  for (const [key, limit] of table.keyLimits ?? []) buckets.push([["key", key], limit]);
  if (table.unlistedKeysLimit !== undefined) buckets.push([["unlisted", "all"], table.unlistedKeysLimit]);
  return buckets;
}

/** Shorter fill intervals are refused when Envoy loads the configuration. */
const shortestFillMs = 50;

/** `ratePerSecond` as whole tokens in an interval: 50 a second are 3 in 60 ms, one in two seconds is 1 in 2000 ms. */
export function tokenBucket({ ratePerSecond, burst }: RateLimitSettings): Fields {
  const tokens = Math.max(1, Math.ceil((ratePerSecond * shortestFillMs) / 1000));
  return {
    max_tokens: Math.floor(burst),
    tokens_per_fill: tokens,
    fill_interval: duration((tokens * 1000) / ratePerSecond),
  };
}
