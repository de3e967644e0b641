// One request under a table that may be swapped at any time: read, decide, ask the cell, and say what was done.

import { type RouteReason, route } from "../../../stages/m2/src/routing.ts";
import type { Placement } from "../../../stages/m2/src/routing-table.ts";
import type { TableStore } from "./table-store.ts";

/** Sends the request to a placement's endpoint, and resolves with the cell's response: perhaps much later. */
export type AskCell = (placement: Placement) => Promise<string>;

/** The cell's response, and what the router tells client and log about it. All of it belongs to one snapshot. */
export interface Served {
  readonly response: string;
  readonly routedTo: string;
  readonly reason: RouteReason;
  readonly version: string;
  readonly sequence: number;
}

/**
 * Serves one request: asks the cell once, under the snapshot that was current when the request began.
 * Resolves with undefined, and asks nobody, before the first table has been applied.
 */
export async function serveRequest(
  store: TableStore,
  routingKey: string,
  ask: AskCell,
): Promise<Served | undefined> {
  // One read: a swap mid-request must not let one request see two tables.
  const snapshot = store.current();
  if (snapshot === undefined) return undefined;
  const { table, sequence } = snapshot;
  const { placement, reason } = route(table, routingKey);
  const response = await ask(placement);
  return { response, routedTo: placement.name, reason, version: table.version, sequence };
}
