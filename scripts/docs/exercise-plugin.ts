// Vite: gives the pages the exercises as modules, each loaded by its own page only.
//
//   virtual:exercises                 which run in the page, and how to load them
//   virtual:exercise/m4-03-half-open  tests, starter, and what they import (`ExerciseBundle`)
//   virtual:answers/m4-03-half-open   solution and wrong answers (`ExerciseAnswers`)
//   virtual:scene/m4-03-half-open     the simulation that its code can drive (`Scene`), where there is one

import { type ExerciseBundle, slugOf } from "../../site/exercise/bundle.ts";
import { sceneOf } from "../../site/exercise/scenes.ts";
import { type Exercise, listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { gatherAnswers, gatherExercise } from "./exercise-bundle.ts";
import { gatherScene } from "./exercise-scenes.ts";

const pattern = /^virtual:(?:exercises|(exercise|answers|scene)\/(m\d-\d\d-[a-z0-9-]+))$/;

export function exercisePlugin(root: string) {
  const all = () => listExerciseIds(root).map((id) => loadExercise(root, id));
  return {
    name: "exercises",
    resolveId: (id: string) => (pattern.test(id) ? `\0${id}` : undefined),
    load(id: string) {
      const match = id.startsWith("\0") ? pattern.exec(id.slice(1)) : null;
      if (match === null) return undefined;
      const [, kind, slug] = match;
      const exercise = all().find(({ spec }) => slugOf(spec.id) === slug);
      return exercise === undefined || kind === undefined ? indexOf(all()) : contentOf(kind, exercise);
    },
  };
}

function indexOf(exercises: readonly Exercise[]): string {
  const entries = exercises
    .filter((exercise) => gatherExercise(exercise).runs)
    .map(({ spec }) => {
      const slug = slugOf(spec.id);
      const kinds = ["exercise", "answers", ...(sceneOf(spec.id) === undefined ? [] : ["scene"])];
      const loads = kinds.map((kind) => `${kind}: () => import("virtual:${kind}/${slug}")`);
      return `${JSON.stringify(slug)}: { ${loads.join(", ")} }`;
    });
  return `export const exercises = {\n${entries.join(",\n")}\n};\n`;
}

function contentOf(kind: string, exercise: Exercise): string {
  const content =
    kind === "answers"
      ? gatherAnswers(exercise)
      : kind === "scene"
        ? gatherScene(exercise)
        : bundleOf(exercise);
  // A string that is parsed is read faster than an object that is written out.
  return `export default JSON.parse(${JSON.stringify(JSON.stringify(content ?? null))});\n`;
}

function bundleOf(exercise: Exercise): ExerciseBundle | undefined {
  const gathered = gatherExercise(exercise);
  return gathered.runs ? gathered.bundle : undefined;
}
