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

async function serveUnder({ table, sequence }: Snapshot, routingKey: string, ask: AskCell): Promise<Served> {
  const { placement, reason } = route(table, routingKey);
  const said = { routedTo: placement.name, reason, version: table.version, sequence };
  return { ...said, response: await ask(placement) };
}

/**
 * Serves one request: asks the cell once, under the snapshot that was current when the request began.
 * Resolves with undefined, and asks nobody, before the first table has been applied.
 */
export function serveRequest(
  store: TableStore,
  routingKey: string,
  ask: AskCell,
): Promise<Served | undefined> {
  const snapshot = store.current();
  return snapshot === undefined ? Promise.resolve(undefined) : serveUnder(snapshot, routingKey, ask);
}
