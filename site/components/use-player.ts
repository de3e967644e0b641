// Plays the recordings of a simulation: which moment is shown, in all worlds at once, and how fast it moves on. Knows
// nothing of what the events mean.

import { computed, onMounted, shallowRef, watch } from "vue";
import { formatFaults, isBroken, readFaults, toggled } from "../simulations/faults.ts";
import {
  defaultValues,
  type Recording,
  readValues,
  type SimEvent,
  type Simulation,
  textOf,
  type Values,
  valuesIn,
  type World,
  writeValues,
} from "../simulations/simulation.ts";
import { TripIndex } from "../simulations/trips.ts";
import { useClock } from "./use-clock.ts";

/** One world, run to its end. */
export interface RunWorld<State> {
  readonly world: World;
  readonly label: string;
  readonly recording: Recording<State>;
  readonly index: TripIndex;
  readonly before: State;
}

/** What is seen of a world at one moment. */
export interface Moment<State> {
  /** How many events have happened. */
  readonly position: number;
  readonly event: SimEvent<State> | undefined;
  readonly state: State;
}

export function usePlayer<State>(simulation: Simulation<State>, loops: () => boolean) {
  const { durationMs } = simulation;
  const values = shallowRef<Values>(defaultValues(simulation.parameters));
  const worlds = computed<readonly RunWorld<State>[]>(() =>
    simulation.worlds.map((world) => {
      const own = valuesIn(world, values.value);
      const recording = simulation.run(own);
      return {
        world,
        label: world.label(own),
        recording,
        index: new TripIndex(recording.trips),
        before: simulation.before(own),
      };
    }),
  );
  const clock = useClock(durationMs, loops);
  const { atMs, isPlaying, isReduced, speed } = clock;
  /** The time that figures and labels show: while dots move, ten times a second is as fast as anybody reads. */
  const shownMs = computed(() => {
    if (!isPlaying.value || isReduced.value || atMs.value >= durationMs) return atMs.value;
    const everyMs = 100 * speed.value;
    return Math.floor(atMs.value / everyMs) * everyMs;
  });

  const moments = computed<readonly Moment<State>[]>(() =>
    worlds.value.map(({ recording: { events }, before }) => {
      const position = countUntil(events, shownMs.value);
      const event = events[position - 1];
      return { position, event, state: event?.state ?? before };
    }),
  );
  /** Moments at which something happens in any world. */
  const steps = computed(() => {
    const times = worlds.value.flatMap(({ recording }) => recording.events.map(({ atMs: at }) => at));
    return [...new Set(times)].sort((a, b) => a - b);
  });

  const faultParameter = simulation.parameters.find(({ kind }) => kind === "faults");
  const targets = faultParameter?.kind === "faults" ? faultParameter.targets : {};
  const faults = computed(() =>
    faultParameter === undefined ? [] : readFaults(textOf(values.value, faultParameter.name), targets),
  );

  function set(name: string, value: number | string | boolean) {
    values.value = { ...values.value, [name]: value };
  }

  function setFaults(next: Parameters<typeof formatFaults>[0]) {
    if (faultParameter !== undefined) set(faultParameter.name, formatFaults(next));
  }

  /** Breaks a thing now, or mends it; what has happened so far stays as it was. */
  function toggle(target: string) {
    if (atMs.value >= durationMs) clock.seek(0);
    setFaults(toggled(faults.value, target, atMs.value, durationMs));
    clock.play();
  }

  /** To the next moment at which something happens, or the one before (`-1`). */
  function step(direction: 1 | -1) {
    const ahead = steps.value.find((at) => at > atMs.value) ?? durationMs;
    const behind = steps.value.findLast((at) => at < atMs.value) ?? 0;
    clock.pause();
    clock.seek(direction === 1 ? ahead : behind);
  }

  watch(values, (next) => {
    const address = new URL(window.location.href);
    writeValues(simulation, next, address.searchParams);
    window.history.replaceState(window.history.state, "", address);
  });

  onMounted(() => {
    const fromAddress = readValues(simulation, new URLSearchParams(window.location.search));
    if (JSON.stringify(fromAddress) !== JSON.stringify(values.value)) values.value = fromAddress;
    clock.seek(0);
  });

  return {
    ...clock,
    shownMs,
    values,
    worlds,
    moments,
    faults,
    targets,
    set,
    setFaults,
    toggle,
    step,
    isBroken: (target: string) => isBroken(faults.value, target, shownMs.value),
    reset: () => {
      values.value = defaultValues(simulation.parameters);
    },
  };
}

/** How many of `events` have happened at `atMs`. */
function countUntil(events: readonly SimEvent<unknown>[], atMs: number): number {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((events[middle]?.atMs ?? 0) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
