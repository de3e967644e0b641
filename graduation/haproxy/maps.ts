// The map files: whatever of a routing table can change while HAProxy runs. A map's content is changed by the Runtime API
// at once, and read again from its file at the next reload.

import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { keyInMap } from "./names.ts";
import { rateWindow } from "./rate-window.ts";

export const mapFiles = ["keys.map", "default.map", "kinds.map", "places.map", "rates.map"] as const;

/**
 * `keys.map`    routing key in hex → placement
 * `default.map` `default` → placement of every other key
 * `kinds.map`   placement → `dedicated` or `tier`
 * `places.map`  placement → its concurrency limit, where it has one
 * `rates.map`   what is limited → `MOST:PERIOD_MS:RETRY_AFTER`; what is limited is `k:` and a key in hex, `p:` and a placement, or
 *               `unlisted`
 */
export type MapFile = (typeof mapFiles)[number];

export type MapEntries = ReadonlyMap<string, string>;

/** The entry of `default.map`. */
export const defaultEntry = "default";
/** The entry of `rates.map` for all keys together that the table does not name. */
export const unlistedEntry = "unlisted";

/** What each map holds for this table. */
export function mapEntries(table: RoutingTable): Readonly<Record<MapFile, MapEntries>> {
  const placements = [...table.placements.values()];
  return {
    "keys.map": new Map([...table.placementByKey].map(([key, { name }]) => [keyInMap(key), name])),
    "default.map": new Map([[defaultEntry, table.defaultPlacement.name]]),
    "kinds.map": new Map(placements.map(({ name, kind }) => [name, kind])),
    "places.map": new Map(
      placements.flatMap(({ name, concurrencyLimit }) =>
        concurrencyLimit === undefined ? [] : [[name, String(concurrencyLimit)]],
      ),
    ),
    "rates.map": rates(table),
  };
}

function rates(table: RoutingTable): MapEntries {
  const entries = new Map<string, string>();
  const add = (entry: string, settings: Parameters<typeof rateWindow>[0] | undefined): void => {
    if (settings === undefined) return;
    const { most, periodMs, retryAfterSeconds } = rateWindow(settings);
    entries.set(entry, `${most}:${periodMs}:${retryAfterSeconds}`);
  };
  for (const [key, settings] of table.keyLimits ?? []) add(`k:${keyInMap(key)}`, settings);
  for (const { name, rateLimit } of table.placements.values()) add(`p:${name}`, rateLimit);
  add(unlistedEntry, table.unlistedKeysLimit);
  return entries;
}

/** The lengths of all windows that the table counts in, each once, shortest first. */
export function ratePeriods(table: RoutingTable): readonly number[] {
  const values = [...rates(table).values()];
  return [...new Set(values.map((value) => Number(value.split(":")[1])))].sort((a, b) => a - b);
}

/** A map as HAProxy reads it from its file: one entry per line, key and value with a space between. */
export function mapText(entries: MapEntries): string {
  return [...entries].map(([key, value]) => `${key} ${value}\n`).join("");
}
