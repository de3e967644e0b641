// Where things stand in the scenes, in the units of their pictures. The components draw things there, and the dots find
// their way by the same numbers.

import type { FleetState } from "../simulations/fleet-scenario.ts";
import type { ReloadState } from "../simulations/reload-lab.ts";
import type { ResilienceState } from "../simulations/resilience-view.ts";
import type { RouteLabState } from "../simulations/route-lab.ts";
import { sharedName } from "../simulations/route-scenario.ts";
import type { Layout, Point } from "./scene.ts";

const dotGap = 8;
/** In a queue they stand closer. */
const queueGap = 6.6;

/** Positions of `slot` in rows of `columns`, from the left. */
function inRows(left: Point, slot: number, columns: number): Point {
  return { x: left.x + (slot % columns) * dotGap, y: left.y + Math.floor(slot / columns) * dotGap };
}

function byPrefix(find: (kind: string, name: string, slot: number) => Point | undefined): Layout["place"] {
  return (place, slot) => {
    const [, kind = place, name = ""] = /^(tenant|client|queue|cell|router|link)-(.*)$/.exec(place) ?? [];
    return find(kind, name, slot);
  };
}

/** `count` positions from `from` to `to`, the first and the last at the ends. */
function spread(index: number, count: number, from: number, to: number): number {
  return count === 1 ? (from + to) / 2 : from + (index * (to - from)) / (count - 1);
}

export interface Rows {
  readonly [name: string]: number;
}

function rowsOf(names: readonly string[], from: number, to: number): Rows {
  return Object.fromEntries(names.map((name, index) => [name, spread(index, names.length, from, to)]));
}

/** A layout whose tenants and cells stand in rows left and right of a router. */
export interface SidesLayout extends Layout {
  readonly tenants: Rows;
  readonly cells: Rows;
  readonly router: Point;
}

export function routeLayout({ tenants, cells }: Pick<RouteLabState, "tenants" | "cells">): SidesLayout {
  const isShared = cells[0]?.name === sharedName;
  const tenantRows = rowsOf(
    tenants.map(({ key }) => key),
    27,
    303,
  );
  const cellRows = rowsOf(
    cells.map(({ name }) => name),
    42,
    288,
  );
  const router = { x: 152, y: 165 };
  const queueRows = isShared ? 30 : 9;
  const place = byPrefix((kind, name, slot) => {
    if (kind === "router") return router;
    if (kind === "tenant") return at(116, tenantRows[name]);
    const y = cellRows[name];
    if (y === undefined) return undefined;
    if (kind === "cell") return inRows({ x: 312, y: y + 20 }, slot, 8);
    const column = Math.floor(slot / queueRows);
    return { x: 294 - column * queueGap, y: y + ((slot % queueRows) - (queueRows - 1) / 2) * queueGap };
  });
  return { width: 400, height: 330, axis: "x", tenants: tenantRows, cells: cellRows, router, place };
}

export function reloadLayout(_: ReloadState): SidesLayout {
  const tenants = rowsOf(["visa", "acme", "globex", "initech"], 136, 304);
  const cells = rowsOf(["visa", "tier1", "tier2", "tier3"], 136, 304);
  const router = { x: 190, y: 220 };
  const place = byPrefix((kind, name, slot) => {
    if (kind === "router") return router;
    if (kind === "tenant") return at(90, tenants[name]);
    const y = cells[name];
    return y === undefined ? undefined : inRows({ x: 312, y: y + 10 }, slot, 10);
  });
  return { width: 400, height: 330, axis: "x", tenants, cells, router, place };
}

export function resilienceLayout({ tenants, cells }: ResilienceState): SidesLayout {
  const tenantRows = rowsOf(
    tenants.map(({ key }) => key),
    40,
    310,
  );
  const cellRows = rowsOf(
    cells.map(({ name }) => name),
    40,
    310,
  );
  const router = { x: 160, y: 175 };
  const place = byPrefix((kind, name, slot) => {
    if (kind === "router") return router;
    if (kind === "tenant") return at(100, tenantRows[name]);
    const y = cellRows[name];
    return y === undefined ? undefined : inRows({ x: 300, y: y + 13 }, slot, 12);
  });
  return { width: 400, height: 350, axis: "x", tenants: tenantRows, cells: cellRows, router, place };
}

export interface FleetLayout extends Layout {
  readonly routers: Readonly<Record<string, Point>>;
  readonly controlPlane: Point;
}

/** Half the side of a router's box. */
export const routerHalf = 15;

export function fleetLayout({ routers }: FleetState): FleetLayout {
  const rows = routers.length > 10 ? 2 : 1;
  const perRow = Math.ceil(routers.length / rows);
  const gap = Math.min(60, 400 / (perRow + 0.5));
  const points = Object.fromEntries(
    routers.map(({ id }, index): [string, Point] => {
      const row = Math.floor(index / perRow);
      const mine = row === 0 ? perRow : routers.length - perRow;
      // Half a step aside, so that the links of the second row pass between the boxes of the first.
      const aside = rows === 1 ? 0 : (row - 0.5) * (gap / 2);
      const x = 200 + aside + ((index % perRow) - (mine - 1) / 2) * gap;
      return [id, { x, y: rows === 1 ? 200 : 160 + row * 96 }];
    }),
  );
  const controlPlane = { x: 200, y: 62 };
  const place = byPrefix((kind, name) => {
    if (kind === "control-plane") return controlPlane;
    const point = points[name];
    if (point === undefined) return undefined;
    if (kind === "client") return { x: point.x, y: point.y + 46 };
    return { x: point.x, y: kind === "link" ? point.y - routerHalf : point.y + routerHalf };
  });
  return { width: 400, height: 330, axis: "y", routers: points, controlPlane, place };
}

function at(x: number, y: number | undefined): Point | undefined {
  return y === undefined ? undefined : { x, y };
}
