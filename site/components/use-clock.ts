// The time of a simulation as it is shown: it runs with the screen's frames, at any speed, and can be set. Where the
// reader wants less motion it moves in steps.

import { onBeforeUnmount, ref } from "vue";
import { useReducedMotion } from "./use-page.ts";

/** How often the picture changes where it must not move, in milliseconds. */
const calmStepMs = 600;

export function useClock(durationMs: number, loops: () => boolean) {
  /** Before JavaScript runs, the end: a still picture shows the outcome. */
  const atMs = ref(durationMs);
  const isPlaying = ref(false);
  /** Time stands still while somebody looks, and goes on afterwards. */
  const isHeld = ref(false);
  const speed = ref(1);
  const isReduced = useReducedMotion();

  let frame = 0;
  let lastMs: number | undefined;

  function tick(nowMs: number) {
    frame = requestAnimationFrame(tick);
    const elapsedMs = nowMs - (lastMs ?? nowMs);
    if (isReduced.value && lastMs !== undefined && elapsedMs < calmStepMs) return;
    lastMs = nowMs;
    if (isHeld.value) return;
    // A tab that was hidden does not catch up with what it missed.
    const passedMs = Math.min(elapsedMs, isReduced.value ? calmStepMs : 100) * speed.value;
    atMs.value = Math.min(durationMs, atMs.value + passedMs);
    if (atMs.value < durationMs) return;
    if (loops()) atMs.value = 0;
    else pause();
  }

  function play() {
    if (atMs.value >= durationMs) atMs.value = 0;
    if (isPlaying.value) return;
    isPlaying.value = true;
    lastMs = undefined;
    frame = requestAnimationFrame(tick);
  }

  function pause() {
    isPlaying.value = false;
    cancelAnimationFrame(frame);
  }

  function seek(nextMs: number) {
    atMs.value = Math.max(0, Math.min(durationMs, nextMs));
  }

  onBeforeUnmount(pause);

  return { atMs, isPlaying, isHeld, isReduced, speed, play, pause, seek };
}
