// What a running HAProxy holds that its table does not say. Pure: the agent reads, and mends what is named here.

import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { addressOf } from "../../address.ts";
import { type MapEntries, type MapFile, mapEntries, mapFiles } from "../maps.ts";
import { backendName, cellServer, serversOf } from "../names.ts";
import type { RuntimeChange } from "../plan-change.ts";
import type { ShownEntry, ShownServer } from "./runtime-output.ts";

/** What has been read from a worker. */
export interface Seen {
  readonly maps: ReadonlyMap<MapFile, readonly ShownEntry[]>;
  readonly servers: readonly ShownServer[];
}

export interface Drift {
  /** Maps to be replaced as a whole. */
  readonly maps: readonly MapFile[];
  readonly servers: readonly Extract<RuntimeChange, { readonly backend: string }>[];
  /** Servers that only a reload sets right, with why: HAProxy does not have them, or they lead elsewhere. */
  readonly wrong: readonly string[];
}

export function driftOf(table: RoutingTable, seen: Seen): Drift {
  const wanted = mapEntries(table);
  const maps = mapFiles.filter((file) => !isSameMap(wanted[file], seen.maps.get(file) ?? []));
  return { maps, ...serverDrift(table, seen.servers) };
}

export function hasDrift({ maps, servers, wrong }: Drift): boolean {
  return maps.length + servers.length + wrong.length > 0;
}

/** Also where mending one map after the other could show a request half of a table, as in `plan-change.ts`. */
export function needsReload({ maps, wrong }: Drift): boolean {
  return wrong.length > 0 || (maps.includes("keys.map") && maps.includes("default.map"));
}

/** In words, for the log. */
export function driftWords({ maps, servers, wrong }: Drift): string[] {
  return [...maps, ...servers.map(({ backend, server }) => `${backend}/${server}`), ...wrong];
}

/** A second entry of one key is a difference, too: the first one hides it until somebody deletes that. */
function isSameMap(wanted: MapEntries, shown: readonly ShownEntry[]): boolean {
  return wanted.size === shown.length && shown.every(([key, value]) => wanted.get(key) === value);
}

function serverDrift(table: RoutingTable, shown: readonly ShownServer[]): Pick<Drift, "servers" | "wrong"> {
  const byName = new Map(shown.map((each) => [`${each.backend}/${each.server}`, each]));
  const servers: Drift["servers"][number][] = [];
  const wrong: string[] = [];
  for (const { name, url, concurrencyLimit = 0 } of table.placements.values()) {
    const { host, port } = addressOf(url);
    for (const each of serversOf(table, name)) {
      const seen = byName.get(`${each.backend}/${each.server}`);
      if (seen === undefined) {
        wrong.push(`${each.backend}/${each.server} is missing`);
        continue;
      }
      // A host name has been resolved meanwhile: what to is not ours to say.
      if (isAddress(host) && seen.address !== shownAddress(host, port))
        wrong.push(`${each.backend}/${each.server} has another address`);
      const isOwn = each.backend === backendName(name) && each.server === cellServer;
      if (!isOwn && seen.maxconn !== concurrencyLimit)
        servers.push({ kind: "server-maxconn", ...each, maxconn: concurrencyLimit });
    }
  }
  return { servers, wrong };
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

function shownAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
