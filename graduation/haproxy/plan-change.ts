// What a new table needs of a HAProxy that runs the old one: a list of Runtime API changes, or a reload. Pure; who sends the
// commands is the agent's business.

import { isDeepStrictEqual } from "node:util";
import type { Placement, RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { type MapFile, mapEntries, mapFiles, ratePeriods } from "./maps.ts";
import { backendName, cellServer, type ServerName, serversOf } from "./names.ts";

export type RuntimeChange =
  /** Adds the entry to the map, or changes it. */
  | { readonly kind: "map-set"; readonly file: MapFile; readonly key: string; readonly value: string }
  | { readonly kind: "map-delete"; readonly file: MapFile; readonly key: string }
  /** `set maxconn server BACKEND/SERVER N`; 0 is no limit. */
  | ({ readonly kind: "server-maxconn"; readonly maxconn: number } & ServerName);

export type ChangePlan =
  | { readonly reload: false; readonly runtime: readonly RuntimeChange[] }
  | { readonly reload: true; readonly why: readonly string[] };

/**
 * What leads from `before` to `after`. A runtime change takes effect by itself, not together with the next one. So the plan
 * is a reload wherever a request could see half of the change and reach a cell that neither table gives it.
 */
export function planChange(before: RoutingTable, after: RoutingTable): ChangePlan {
  const why = [...placementReasons(before, after), ...rateReasons(before, after)];
  const maps = mapChanges(before, after);
  const changes = (file: MapFile) => maps.some((each) => each.file === file);
  if (changes("keys.map") && changes("default.map"))
    why.push("keys and the default placement change at once: a key could meet one of each table");
  if (why.length > 0) return { reload: true, why };
  return { reload: false, runtime: [...placesChanges(before, after), ...maps] };
}

function placementReasons(before: RoutingTable, after: RoutingTable): string[] {
  const why: string[] = [];
  for (const name of before.placements.keys())
    if (!after.placements.has(name)) why.push(`placement "${name}" is gone`);
  for (const [name, next] of after.placements) {
    const last = before.placements.get(name);
    if (last === undefined) why.push(`placement "${name}" is new`);
    else why.push(...settingReasons(last, next));
  }
  return why;
}

/**
 * Settings that stand in the configuration itself. An address could be changed with `set server`, but a connection whose request is
 * under way then goes back into the server's pool afterwards, and brings later requests to the old address.
 */
const fixedSettings = ["kind", "url", "health", "circuitBreaker", "fallback", "retries"] as const;

function settingReasons(last: Placement, next: Placement): string[] {
  const changed = fixedSettings.filter((setting) => !isDeepStrictEqual(last[setting], next[setting]));
  return changed.map((setting) => `"${setting}" of placement "${next.name}" has changed`);
}

/** A counter's window is as long as the stick table says, and stick tables stand in the configuration. */
function rateReasons(before: RoutingTable, after: RoutingTable): string[] {
  const known = new Set(ratePeriods(before));
  const missing = ratePeriods(after).filter((periodMs) => !known.has(periodMs));
  return missing.map((periodMs) => `no stick table counts in windows of ${periodMs} ms yet`);
}

/** The limit of a fallback holds for its stand-in servers, too. A cell's own requests are counted by `places.map`. */
function placesChanges(before: RoutingTable, after: RoutingTable): RuntimeChange[] {
  const changes: RuntimeChange[] = [];
  for (const { name, concurrencyLimit } of after.placements.values()) {
    if (before.placements.get(name)?.concurrencyLimit === concurrencyLimit) continue;
    const isOwn = (server: ServerName) =>
      server.backend === backendName(name) && server.server === cellServer;
    for (const server of serversOf(after, name).filter((each) => !isOwn(each)))
      changes.push({ kind: "server-maxconn", ...server, maxconn: concurrencyLimit ?? 0 });
  }
  return changes;
}

function mapChanges(before: RoutingTable, after: RoutingTable) {
  const [last, next] = [mapEntries(before), mapEntries(after)];
  return mapFiles.flatMap((file) => {
    const set = [...next[file]].filter(([key, value]) => last[file].get(key) !== value);
    const gone = [...last[file].keys()].filter((key) => !next[file].has(key));
    return [
      ...set.map(([key, value]) => ({ kind: "map-set", file, key, value }) as const),
      ...gone.map((key) => ({ kind: "map-delete", file, key }) as const),
    ];
  });
}
