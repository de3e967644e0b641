// Where things stand in the scenes with one cell.

import type { Layout, Point } from "../components/scene.ts";
import type { OneCellState } from "./scenes/one-cell.ts";

export interface OneCellLayout extends Layout {
  readonly tenants: Readonly<Record<string, number>>;
  readonly router: Point;
}

export function oneCellLayout({ tenants }: OneCellState): OneCellLayout {
  const rows = Object.fromEntries(
    tenants.map(({ key }, index) => [
      key,
      tenants.length === 1 ? 110 : 45 + (index * 130) / (tenants.length - 1),
    ]),
  );
  const router = { x: 190, y: 110 };
  const place = (name: string, slot: number): Point | undefined => {
    if (name === "router") return router;
    if (name === "cell-tier1") return { x: 296 + (slot % 12) * 8, y: 116 + Math.floor(slot / 12) * 8 };
    const y = rows[name.replace(/^tenant-/, "")];
    return y === undefined ? undefined : { x: 100, y };
  };
  return { width: 400, height: 220, axis: "x", tenants: rows, router, place };
}
