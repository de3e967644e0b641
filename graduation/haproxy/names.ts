// What things of the routing table are called inside HAProxy: backends, servers, map files and their keys. The agent that
// changes a running HAProxy uses the same names.

import { fallbackChain } from "../../stages/m4/src/failover.ts";
import type { Placement, RoutingTable } from "../../stages/m4/src/routing-table.ts";

/** The server of the placement's own cell, in the placement's backend. */
export const cellServer = "cell";

/** A server inside HAProxy, as the Runtime API addresses it: `BACKEND/SERVER`. */
export interface ServerName {
  readonly backend: string;
  readonly server: string;
}

/**
 * The backend of a placement. The table's validator only admits names that HAProxy takes, too: letters, digits, dots,
 * dashes and underscores. A map of HAProxy can then name the backend without a second map.
 */
export function backendName(placement: string): string {
  return `p_${placement}`;
}

/** The fallback chain of a placement in the order in which it is asked, as m4 walks it. */
export function chainOf(table: RoutingTable, placement: Placement): readonly Placement[] {
  return [...fallbackChain(table, placement)];
}

/** The server that stands for the fallback `name`, the `position`th of its chain, counted from 1. */
export function fallbackServer(position: number, name: string): string {
  return `f${position}_${name}`;
}

/** Every server that leads to the cell of `placement`: its own, and those in the backends that fall back to it. */
export function serversOf(table: RoutingTable, placement: string): readonly ServerName[] {
  const servers: ServerName[] = [{ backend: backendName(placement), server: cellServer }];
  for (const other of table.placements.values()) {
    const position = chainOf(table, other).findIndex(({ name }) => name === placement) + 1;
    if (position > 0)
      servers.push({ backend: backendName(other.name), server: fallbackServer(position, placement) });
  }
  return servers;
}

/**
 * A routing key as it stands in the maps: the hex digits of its UTF-8 bytes, as HAProxy's `hex` converter writes them. So
 * a key with spaces or quotes needs no escaping, neither in a map file nor in a command of the Runtime API.
 */
export function keyInMap(routingKey: string): string {
  return Buffer.from(routingKey, "utf8").toString("hex").toUpperCase();
}
