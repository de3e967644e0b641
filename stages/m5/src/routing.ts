// Decides which placement serves a routing key. Pure: a table and a key in, a decision out.
// It reads no header, no clock and no network, so the same module runs in the router and in a browser.

import type { Placement, RoutingTable } from "./routing-table.ts";

/** Why a placement was chosen; sent to the client as `X-Route-Reason`. */
export type RouteReason = "dedicated" | "tier" | "default";

export interface RouteDecision {
  readonly placement: Placement;
  readonly reason: RouteReason;
}

// #region route
/**
 * Looks the routing key up in one table.
 *
 * A listed key goes to its placement, with that placement's kind as the reason; every other key goes to
 * the default placement. The look-up is by exact value in a `Map`: on a plain object, a key named
 * `constructor` or `__proto__` would find what the object inherits.
 */
export function route(table: RoutingTable, routingKey: string): RouteDecision {
  const listed = table.placementByKey.get(routingKey);
  if (listed !== undefined) return { placement: listed, reason: listed.kind };
  return { placement: table.defaultPlacement, reason: "default" };
}
// #endregion route
