// Divides a table's limits among the workers of one router, so that together they let through what the table says. Pure.

import type { RateLimitSettings } from "../resilience-settings.ts";
import type { Placement, RoutingTable } from "../routing-table.ts";

/** Which worker, and of how many. */
export interface Share {
  readonly index: number;
  readonly of: number;
}

// #region limit-shares
/**
 * The table as worker `index` of `of` shall apply it.
 *
 * Rates and bursts are divided evenly; a concurrency limit into whole places, the first workers taking the remainder. A
 * burst and a number of places stay at least 1: a limit smaller than the number of workers is rounded up to it.
 */
export function shareOf(table: RoutingTable, share: Share): RoutingTable {
  if (share.of === 1 || !hasLimits(table)) return table;
  const shared = new Map<string, Placement>();
  for (const [name, placement] of table.placements) shared.set(name, sharedPlacement(placement, share));
  const named = ({ name }: Placement): Placement => shared.get(name) as Placement;
  const placementByKey = new Map<string, Placement>();
  for (const [key, placement] of table.placementByKey) placementByKey.set(key, named(placement));
  const keyLimits =
    table.keyLimits && new Map([...table.keyLimits].map(([key, limit]) => [key, sharedRate(limit, share)]));
  const unlistedKeysLimit = table.unlistedKeysLimit && sharedRate(table.unlistedKeysLimit, share);
  const defaultPlacement = named(table.defaultPlacement);
  return { ...table, defaultPlacement, placements: shared, placementByKey, keyLimits, unlistedKeysLimit };
}

function hasLimits({ placements, keyLimits, unlistedKeysLimit }: RoutingTable): boolean {
  if (keyLimits !== undefined || unlistedKeysLimit !== undefined) return true;
  for (const { rateLimit, concurrencyLimit } of placements.values()) {
    if (rateLimit !== undefined || concurrencyLimit !== undefined) return true;
  }
  return false;
}

function sharedPlacement(placement: Placement, share: Share): Placement {
  const { rateLimit, concurrencyLimit } = placement;
  return {
    ...placement,
    rateLimit: rateLimit && sharedRate(rateLimit, share),
    concurrencyLimit: concurrencyLimit && sharedPlaces(concurrencyLimit, share),
  };
}

function sharedRate({ ratePerSecond, burst }: RateLimitSettings, { of }: Share): RateLimitSettings {
  return { ratePerSecond: ratePerSecond / of, burst: Math.max(1, burst / of) };
}

function sharedPlaces(places: number, { index, of }: Share): number {
  return Math.max(1, Math.floor(places / of) + (index < places % of ? 1 : 0));
}
// #endregion limit-shares
