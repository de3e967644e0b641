// Stands in for the stage's `routing.ts` while your `route` serves real traffic: it turns the stage's table into
// the document that the exercise works on, and the name that comes back into the stage's placement.

import type { Placement, RoutingTable } from "../../../../stages/m1/src/routing-table.ts";
import { route as exerciseRoute, type RoutingDocument } from "../starter/route.ts";

export type RouteReason = "dedicated" | "tier" | "default";

export interface RouteDecision {
  readonly placement: Placement;
  readonly reason: RouteReason;
}

// A table is immutable, so its document is made once.
const documents = new WeakMap<RoutingTable, RoutingDocument>();

export function route(table: RoutingTable, routingKey: string): RouteDecision {
  let document = documents.get(table);
  if (document === undefined) {
    document = documentOf(table);
    documents.set(table, document);
  }
  const decision = exerciseRoute(document, routingKey);
  const placement = table.placements.get(decision.placement);
  if (placement === undefined)
    throw new Error(`Cannot route: your code chose "${decision.placement}", no placement`);
  return { placement, reason: decision.reason };
}

function documentOf(table: RoutingTable): RoutingDocument {
  return {
    defaultPlacement: table.defaultPlacement.name,
    routingTable: Object.fromEntries(
      [...table.placementByKey].map(([key, placement]) => [key, placement.name]),
    ),
    placements: Object.fromEntries([...table.placements].map(([name, { kind }]) => [name, { kind }])),
  };
}
