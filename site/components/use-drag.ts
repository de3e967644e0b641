// A thing in a picture that can be pulled out of its place: pulled far enough and let go, it is acted upon; let go before
// that, it is not. A press without a pull is a click.

import { computed, shallowRef } from "vue";
import type { Point } from "./scene.ts";

/** From here on a press is a pull, in pixels of the screen: a finger never rests. */
const slackPx = 6;
/** From here on the thing is out of its place. */
const tearPx = 32;

export function useDrag(act: () => void) {
  let from: Point | undefined;
  let wasPulled = false;
  /** How far it is out of its place, in pixels. */
  const pulledPx = shallowRef(0);
  /** The same in the units of the picture; undefined while it stands in its place. */
  const offset = shallowRef<Point>();
  const isTorn = computed(() => pulledPx.value >= tearPx);

  function onDown(event: PointerEvent) {
    wasPulled = false;
    if (event.button !== 0) return;
    from = { x: event.clientX, y: event.clientY };
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
  }

  function onMove(event: PointerEvent) {
    if (from === undefined) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    pulledPx.value = Math.hypot(x, y);
    wasPulled ||= pulledPx.value >= slackPx;
    if (!wasPulled) return;
    const scale = (event.currentTarget as SVGGraphicsElement).ownerSVGElement?.getScreenCTM()?.a ?? 1;
    offset.value = { x: x / scale, y: y / scale };
  }

  function onUp() {
    const isFar = isTorn.value;
    onCancel();
    if (isFar) act();
  }

  /** Also where the browser takes the gesture for scrolling: then nothing was meant. */
  function onCancel() {
    from = undefined;
    pulledPx.value = 0;
    offset.value = undefined;
  }

  /** A browser reports a click after a pull as well. */
  function onClick() {
    if (!wasPulled) act();
    wasPulled = false;
  }

  return { offset, isTorn, onDown, onMove, onUp, onCancel, onClick };
}
