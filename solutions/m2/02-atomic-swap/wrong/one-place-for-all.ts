// One request under a table that may be swapped at any time: read, decide, ask the cell, and say what was done.

import { type RouteReason, route } from "../../../../stages/m2/src/routing.ts";
import type { Placement } from "../../../../stages/m2/src/routing-table.ts";
import type { Snapshot, TableStore } from "../table-store.ts";

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

let current: Snapshot | undefined;

/**
 * Serves one request: asks the cell once, under the snapshot that was current when the request began.
 * Resolves with undefined, and asks nobody, before the first table has been applied.
 */
export async function serveRequest(
  store: TableStore,
  routingKey: string,
  ask: AskCell,
): Promise<Served | undefined> {
  // Read once, and kept for what is said later.
  current = store.current();
  if (current === undefined) return undefined;
  const { placement, reason } = route(current.table, routingKey);
  const response = await ask(placement);
  return {
    response,
    routedTo: placement.name,
    reason,
    version: current.table.version,
    sequence: current.sequence,
  };
}
