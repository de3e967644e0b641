// A simulation of the site, driven by an answer: recordings come from the worker, and until one is there the last one goes on.
// The player knows nothing of that: it gets a simulation like any other.

import { computed, shallowRef } from "vue";
import { defaultValues, type Recording, type Simulation, type Values } from "../simulations/simulation.ts";
import { stallMs } from "./page-check.ts";
import type { SceneTask } from "./scene-run.ts";
import { endingOf, type Scenario, type SceneOf } from "./scene-spec.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

export type Whose = "given" | "mine";

const labels: Readonly<Record<Whose, string>> = {
  given: "The code you were given",
  mine: "Your code",
};

const nothing: Recording<never> = { events: [], trips: [], bands: [], culprits: new Set() };

export interface Play {
  readonly scene: SceneOf;
  readonly scenario: Scenario;
  /** Whose code plays: one world for each. */
  readonly worlds: readonly Whose[];
}

/** @param record Records the scene with one of the two answers. */
export function useDrivenSimulation<State>(
  base: Simulation<State>,
  { scene, scenario, worlds }: Play,
  record: (whose: Whose, values: Values) => Promise<Recording<State>>,
) {
  const { values: fixed } = scenario;
  const { hidden = [] } = scene;
  const fields = base.parameters.filter(({ name }) => !hidden.includes(name));
  const recordings = shallowRef<ReadonlyMap<string, Recording<State>>>(new Map());
  const latest = shallowRef<Partial<Record<Whose, Recording<State>>>>({});
  const fault = shallowRef("");
  const asked = new Set<string>();
  /** Counts the learner's changes: what was recorded before one is not shown after it. */
  let change = 0;

  async function ask(key: string, whose: Whose, values: Values): Promise<void> {
    const asOf = change;
    try {
      const recording = await record(whose, values);
      if (whose === "mine" && asOf !== change) return;
      recordings.value = new Map([...recordings.value, [key, recording]]);
      latest.value = { ...latest.value, [whose]: recording };
      if (whose === "mine") fault.value = "";
    } catch (error) {
      if (whose === "mine" && asOf === change)
        fault.value = error instanceof Error ? error.message : String(error);
    }
  }

  function run(values: Values): Recording<State> {
    const whose: Whose = values["answer"] === "mine" ? "mine" : "given";
    const key = JSON.stringify(values);
    const found = recordings.value.get(key);
    if (found !== undefined) return found;
    if (!asked.has(key)) {
      asked.add(key);
      queueMicrotask(() => void ask(key, whose, values));
    }
    return latest.value[whose] ?? nothing;
  }

  const simulation: Simulation<State> = {
    ...base,
    // A scene with one world stands beside one with two: each has its own values in the address.
    name: worlds.length === 1 ? `${base.name}-given` : base.name,
    // It stands beside the story and must not be higher than it has to.
    rows: worlds.length === 1 ? base.rows.slice(0, 1) : base.rows,
    parameters: fields.map((parameter) => ({
      ...parameter,
      ...(parameter.name in fixed ? { value: fixed[parameter.name] } : {}),
    })) as typeof base.parameters,
    worlds: worlds.map((whose) => ({
      name: whose,
      label: () => labels[whose],
      values: { ...unlisted({ ...defaultValues(base.parameters), ...fixed }), answer: whose },
    })),
    run,
  };

  /** Values that the simulation reads and that no field sets. */
  function unlisted(values: Values): Values {
    const names = fields.map(({ name }) => name);
    return Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));
  }

  /** The learner's code is another one now. */
  function changed(): void {
    change += 1;
    for (const key of [...asked]) if (key.includes('"answer":"mine"')) asked.delete(key);
    recordings.value = new Map([...recordings.value].filter(([key]) => asked.has(key)));
  }

  const ending = computed(() =>
    worlds
      .map((whose) => {
        const recording = latest.value[whose];
        return recording === undefined ? "" : `${labels[whose]}: ${endingOf(scene, recording)}.`;
      })
      .join(" "),
  );
  return { simulation, changed, ending, fault };
}

/**
 * Records in a worker of its own, which is ended when it hangs.
 * @throws Error in words for the learner.
 */
export function recordInWorker(makeWorker: () => Worker, task: SceneTask): Promise<Recording<unknown>> {
  const worker = makeWorker();
  return new Promise<Recording<unknown>>((resolve, reject) => {
    const timer = setTimeout(
      () => end(() => reject(new Error(`it had not come back after ${stallMs / 1_000} s and was stopped`))),
      stallMs,
    );
    const end = (settle: () => void) => {
      clearTimeout(timer);
      worker.terminate();
      settle();
    };
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === "scene") end(() => resolve(data.recordings[0] ?? nothing));
      if (data.kind === "scene-failed" || data.kind === "broken") end(() => reject(new Error(data.message)));
    };
    worker.onerror = (event) => end(() => reject(new Error(event.message)));
    worker.postMessage({ kind: "scene", task } satisfies ToWorker);
  });
}
