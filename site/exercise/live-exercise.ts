// What the parts of an exercise's page share: the learner's code and what the tests say of it. The page makes one, the editor fills
// it, and the scenes and the part about what is kept read it.

import { type InjectionKey, inject, type ShallowRef, shallowRef } from "vue";
import type { Verdict } from "../../scripts/exercise/verdict.ts";
import type { Recording } from "../simulations/simulation.ts";
import type { AnswerFiles, ExerciseBundle } from "./bundle.ts";
import type { KeptWork } from "./kept-work.ts";

export interface LiveExercise {
  /** Undefined until it has been loaded. */
  readonly bundle: ShallowRef<ExerciseBundle | undefined>;
  readonly verdict: ShallowRef<Verdict | undefined>;
  /** The code that was last checked and could be run: the scene plays with it, not with every letter. */
  readonly checked: ShallowRef<AnswerFiles | undefined>;
  /** Takes over work from a file. Returns what to tell the learner. */
  takeOver: (work: KeptWork) => string;
  /** Recordings of the starter, by their values: both scenes show them. */
  readonly given: Map<string, Promise<Recording<unknown>>>;
}

export function newLiveExercise(): LiveExercise {
  return {
    bundle: shallowRef(),
    verdict: shallowRef(),
    checked: shallowRef(),
    takeOver: () => "The exercise is still loading.",
    given: new Map(),
  };
}

export const liveExerciseKey: InjectionKey<LiveExercise> = Symbol("the exercise of this page");

export function useLiveExercise(): LiveExercise {
  const live = inject(liveExerciseKey);
  if (live === undefined) throw new Error("This part belongs on an exercise's page");
  return live;
}
