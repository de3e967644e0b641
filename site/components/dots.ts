// Draws the requests of one moment: a dot each, on the way, in a queue, or falling.

import { fallMs, type Leg, type Trip } from "../simulations/trips.ts";
import { along, type Layout, type Point } from "./scene.ts";

export interface Palette {
  readonly owner: (owner: string) => string;
  readonly bad: string;
  readonly warn: string;
  readonly ground: string;
}

const radius = 3.1;

/** @returns how many requests are under way */
export function drawDots(
  context: CanvasRenderingContext2D,
  trips: readonly Trip[],
  atMs: number,
  layout: Layout,
  palette: Palette,
): number {
  let count = 0;
  for (const trip of trips) {
    if (atMs < trip.startMs) continue;
    if (atMs < trip.endMs) {
      const leg = legAt(trip, atMs);
      const point = leg && pointAt(leg, atMs, layout);
      if (leg === undefined || point === undefined) continue;
      count += 1;
      dot(context, point, palette.owner(trip.owner), isReturn(leg), palette.ground);
    } else if (trip.result === "failed" || trip.result === "refused" || trip.result === "lost") {
      const passed = (atMs - trip.endMs) / fallMs;
      const last = trip.legs.at(-1);
      const from = last && passed <= 1 ? pointAt(last, trip.endMs, layout) : undefined;
      if (from !== undefined)
        cross(context, from, passed, trip.result === "failed" ? palette.bad : palette.warn);
    }
  }
  return count;
}

function legAt(trip: Trip, atMs: number): Leg | undefined {
  for (const leg of trip.legs) if (atMs < leg.untilMs) return leg;
  return trip.legs.at(-1);
}

function pointAt(leg: Leg, atMs: number, layout: Layout): Point | undefined {
  const to = layout.place(leg.to, leg.toSlot);
  if (leg.from === leg.to || to === undefined) return to;
  const from = layout.place(leg.from, leg.fromSlot);
  if (from === undefined) return to;
  const u = Math.min(1, Math.max(0, (atMs - leg.fromMs) / Math.max(1, leg.untilMs - leg.fromMs)));
  return along(from, to, u, layout.axis);
}

function isReturn({ from, to }: Leg): boolean {
  return from !== to && (from.startsWith("cell-") || to.startsWith("tenant-") || to.startsWith("client-"));
}

/** A request is a full dot, a response a ring. */
function dot(
  context: CanvasRenderingContext2D,
  { x, y }: Point,
  colour: string,
  isRing: boolean,
  ground: string,
): void {
  context.beginPath();
  context.arc(x, y, isRing ? radius - 0.8 : radius, 0, 2 * Math.PI);
  context.fillStyle = isRing ? ground : colour;
  context.fill();
  context.lineWidth = isRing ? 1.6 : 0.8;
  context.strokeStyle = isRing ? colour : ground;
  context.stroke();
}

function cross(context: CanvasRenderingContext2D, from: Point, passed: number, colour: string): void {
  const [x, y] = [from.x, from.y + 44 * passed * passed];
  context.globalAlpha = 1 - passed * 0.8;
  context.strokeStyle = colour;
  context.lineWidth = 1.8;
  context.beginPath();
  context.moveTo(x - 3, y - 3);
  context.lineTo(x + 3, y + 3);
  context.moveTo(x + 3, y - 3);
  context.lineTo(x - 3, y + 3);
  context.stroke();
  context.globalAlpha = 1;
}
