// Rate limits as Envoy's local rate limit filter takes them: buckets by descriptor, and how a request gets its descriptors.
// A bucket on a route would be another one for each key; these are shared by all that carry the descriptor.

import type { RateLimitSettings } from "../../stages/m4/src/resilience-settings.ts";
import { duration, type Fields, type RoutingTable, typed } from "./envoy-values.ts";

/** What a request is counted against, as descriptor entries. */
type Counted = readonly [entry: "placement" | "key" | "unlisted", value: string];

// #region rate-limits
/** The filter, or undefined for a table without rate limits. */
export function rateLimitFilter(table: RoutingTable): Fields | undefined {
  const buckets = bucketsOf(table);
  if (buckets.length === 0) return undefined;
  const always = { default_value: { numerator: 100, denominator: "HUNDRED" } };
  const entries = new Set(buckets.map(([[entry]]) => entry));
  return {
    name: "envoy.filters.http.local_ratelimit",
    typed_config: typed("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", {
      stat_prefix: "rate_limit",
      // 0 % unless said: it would count, and refuse nobody.
      filter_enabled: always,
      filter_enforced: always,
      enable_retry_after_header: true,
      rate_limits: [...entries].map((entry) => ({ actions: [descriptors[entry]] })),
      descriptors: buckets.map(([[entry, value], limit]) => ({
        entries: [{ key: entry, value }],
        token_bucket: tokenBucket(limit),
      })),
    }),
  };
}

/** Where a request's descriptors come from. One without a bucket limits nothing. */
const descriptors: Readonly<Record<Counted[0], Fields>> = {
  placement: fromRoute("placement"),
  key: { request_headers: { header_name: "x-routing-key", descriptor_key: "key" } },
  unlisted: fromRoute("unlisted"),
};

function fromRoute(entry: "placement" | "unlisted"): Fields {
  const metadata_key = { key: "cell", path: [{ key: entry }] };
  return { metadata: { descriptor_key: entry, metadata_key, source: "ROUTE_ENTRY", skip_if_absent: true } };
}

/** The metadata of a route, which the filter reads. `key` is undefined for all keys that the table does not name. */
export function routeMetadata(placement: string, key: string | undefined): Fields {
  const unlisted = key === undefined ? { unlisted: "all" } : {};
  return { filter_metadata: { cell: { placement, ...unlisted } } };
}
// #endregion rate-limits

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
