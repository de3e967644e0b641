// Modules that only the site's build knows, and packages whose names are Node's.

declare module "virtual:exercises" {
  import type { ExerciseAnswers, ExerciseBundle } from "../../site/exercise/bundle.ts";
  import type { Scene } from "../../site/exercise/scene-run.ts";
  /** By the exercise's slug: those that run in the page. */
  export const exercises: Readonly<
    Record<
      string,
      {
        readonly exercise: () => Promise<{ readonly default: ExerciseBundle }>;
        readonly answers: () => Promise<{ readonly default: ExerciseAnswers }>;
        readonly scene?: () => Promise<{ readonly default: Scene }>;
      }
    >
  >;
}

declare module "buffer/" {
  export { Buffer } from "node:buffer";
}

declare module "events/" {
  import { EventEmitter } from "node:events";
  export default EventEmitter;
}
