// Plays the log of a simulation: which event is the current one, and how fast the next ones come. Knows nothing of what
// the events mean.

import { computed, onBeforeUnmount, onMounted, ref, shallowRef, watch } from "vue";
import {
  defaultValues,
  readValues,
  type SimEvent,
  type Simulation,
  type Values,
  writeValues,
} from "../simulations/simulation.ts";

/** Virtual milliseconds that pass in a real one. */
export const speeds = [0.25, 1, 4, 16] as const;

export function usePlayer<State>(simulation: Simulation<State>) {
  const values = shallowRef<Values>(defaultValues(simulation.parameters));
  const events = computed<readonly SimEvent<State>[]>(() => simulation.run(values.value));
  /** How many events have happened. Before JavaScript runs, all of them: a still picture shows the outcome. */
  const position = ref(events.value.length);
  const atMs = ref(simulation.durationMs);
  const isPlaying = ref(false);
  const speed = ref<number>(1);
  const current = computed(() => events.value[position.value - 1]);
  const state = computed(() => current.value?.state ?? simulation.before(values.value));

  let frame = 0;
  let lastFrameMs: number | undefined;

  function tick(nowMs: number) {
    // A tab that was hidden does not catch up with what it missed.
    const elapsedMs = Math.min(100, nowMs - (lastFrameMs ?? nowMs));
    lastFrameMs = nowMs;
    atMs.value = Math.min(simulation.durationMs, atMs.value + elapsedMs * speed.value);
    while (position.value < events.value.length && (events.value[position.value]?.atMs ?? 0) <= atMs.value)
      position.value += 1;
    if (atMs.value >= simulation.durationMs) pause();
    else frame = requestAnimationFrame(tick);
  }

  function play() {
    if (atMs.value >= simulation.durationMs) rewind();
    isPlaying.value = true;
    lastFrameMs = undefined;
    frame = requestAnimationFrame(tick);
  }

  function pause() {
    isPlaying.value = false;
    cancelAnimationFrame(frame);
  }

  function rewind() {
    pause();
    position.value = 0;
    atMs.value = 0;
  }

  function goTo(next: number) {
    pause();
    position.value = Math.max(0, Math.min(events.value.length, next));
    const isAtEnd = position.value === events.value.length;
    atMs.value = isAtEnd ? simulation.durationMs : (current.value?.atMs ?? 0);
  }

  function set(name: string, value: number | string | boolean) {
    values.value = { ...values.value, [name]: value };
  }

  function reset() {
    values.value = defaultValues(simulation.parameters);
  }

  watch(values, (next) => {
    rewind();
    const address = new URL(window.location.href);
    writeValues(simulation, next, address.searchParams);
    window.history.replaceState(window.history.state, "", address);
  });

  onMounted(() => {
    const fromAddress = readValues(simulation, new URLSearchParams(window.location.search));
    if (JSON.stringify(fromAddress) !== JSON.stringify(values.value)) values.value = fromAddress;
    rewind();
  });
  onBeforeUnmount(pause);

  return {
    values,
    events,
    position,
    atMs,
    isPlaying,
    speed,
    current,
    state,
    play,
    pause,
    rewind,
    goTo,
    set,
    reset,
  };
}
