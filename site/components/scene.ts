// What a scene hands to the player (where its places are), and what the player hands to the things in a scene that can
// be broken.

import type { InjectionKey, Ref } from "vue";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Where `slot` of a place is; undefined for a place that this world does not have. */
  readonly place: (name: string, slot: number) => Point | undefined;
  /** Ways leave and arrive level (`x`) or upright (`y`). */
  readonly axis: "x" | "y";
}

export interface Breaking {
  readonly toggle: (target: string) => void;
  readonly isBroken: (target: string) => boolean;
  readonly isLive: () => boolean;
}

export const breakingKey: InjectionKey<Breaking> = Symbol("what can be broken");

/** The time that is shown, to the frame. Only what moves with it reads it: all else is drawn ten times a second. */
export const clockKey: InjectionKey<Readonly<Ref<number>>> = Symbol("the time that is shown");

/** The way from `a` to `b` as an SVG path; the dots follow the same curve. */
export function wire(a: Point, b: Point, axis: Layout["axis"]): string {
  const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
  return axis === "x"
    ? `M${a.x} ${a.y}C${x} ${a.y} ${x} ${b.y} ${b.x} ${b.y}`
    : `M${a.x} ${a.y}C${a.x} ${y} ${b.x} ${y} ${b.x} ${b.y}`;
}

/** The point of that curve at `u` from 0 to 1. */
export function along(a: Point, b: Point, u: number, axis: Layout["axis"]): Point {
  // The two inner points of the curve lie half-way along one axis: a cubic in closed form.
  const far = u * (1.5 - 1.5 * u + u * u);
  const across = u * u * (3 - 2 * u);
  const [x, y] = axis === "x" ? [far, across] : [across, far];
  return { x: a.x + (b.x - a.x) * x, y: a.y + (b.y - a.y) * y };
}
