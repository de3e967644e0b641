// Where things stand in m2/02's scene: tenants, the router with its table, the cells, and a line of the log below.

import type { Layout, Point } from "../components/scene.ts";
import { type SwapState, swapCells, swapTenants } from "./scenes/swap-frame.ts";

export interface SwapLayout extends Layout {
  readonly tenants: Readonly<Record<string, number>>;
  readonly cells: Readonly<Record<string, number>>;
  readonly router: Point;
}

export function swapLayout(_: SwapState): SwapLayout {
  const tenants = Object.fromEntries(swapTenants.map((key, index) => [key, 62 + index * 96]));
  const cells = Object.fromEntries(swapCells.map((name, index) => [name, 34 + index * 76]));
  const router = { x: 190, y: 110 };
  const place = (name: string, slot: number): Point | undefined => {
    if (name === "router") return router;
    const y = cells[name.replace(/^cell-/, "")];
    if (y !== undefined) return { x: 296 + (slot % 12) * 8, y: y + 18 + Math.floor(slot / 12) * 8 };
    const tenantY = tenants[name.replace(/^tenant-/, "")];
    return tenantY === undefined ? undefined : { x: 100, y: tenantY };
  };
  return { width: 400, height: 266, axis: "x", tenants, cells, router, place };
}
