// The simulation that an exercise's code can drive, with its modules as text: whatever the exercise lays over its stage takes
// the place of the stage's file there, too.

import { join } from "node:path";
import { starterPath } from "../../site/exercise/bundle.ts";
import { recordScene, type Scene } from "../../site/exercise/scene-run.ts";
import { endingOf, type Scenario, simulationFiles } from "../../site/exercise/scene-spec.ts";
import { burst } from "../../site/exercise/scenes/burst.ts";
import { placesFrame } from "../../site/exercise/scenes/places-frame.ts";
import { stampede } from "../../site/exercise/scenes/stampede.ts";
import { swapFrame } from "../../site/exercise/scenes/swap-frame.ts";
import { sceneOf } from "../../site/exercise/scenes.ts";
import { simulations } from "../../site/simulations/all.ts";
import { defaultValues } from "../../site/simulations/simulation.ts";
import { type Answer, filesEnding } from "../exercise/answer-source.ts";
import type { Exercise } from "../exercise/exercise-spec.ts";
import { answerFiles, ImportGraph } from "./exercise-bundle.ts";

/** Undefined where no simulation uses what the exercise is about. */
export function gatherScene(exercise: Exercise): Scene | undefined {
  const { id, overlay, files } = exercise.spec;
  const scene = sceneOf(id);
  if (scene === undefined || overlay === undefined) return undefined;
  const { entry, exported } = simulationFiles[scene.simulation];
  const graph = new ImportGraph(exercise.root);
  graph.add(entry);
  const replaced = Object.entries(overlay.files).map(([name, stageFile]) => {
    const own = files.includes(name) ? starterPath(id, name) : `exercises/${id}/${name}`;
    return [`stages/${overlay.stage}/src/${stageFile}`, own] as const;
  });
  // Some scenes call the learner's files, others the stage's in whose place they stand.
  const isPlayed = (path: string) => graph.modules.has(path);
  const plays =
    replaced.some(([stageFile]) => isPlayed(stageFile)) ||
    files.some((name) => isPlayed(starterPath(id, name)));
  if (!plays) throw new Error(`The scene of ${id} runs nothing of the exercise`);
  for (const kind of ["starter", "solution"] as const)
    for (const [name, text] of Object.entries(answerFiles(exercise, { kind })))
      graph.addText(starterPath(id, name), text);
  for (const name of filesEnding(join(exercise.folder, "overlay"), ".ts"))
    graph.add(`exercises/${id}/overlay/${name}`);
  if (graph.foreign !== undefined)
    throw new Error(`The scene of ${id} cannot run in the page: ${graph.foreign}`);
  for (const name of files) graph.modules.delete(starterPath(id, name));
  return {
    modules: Object.fromEntries(graph.modules),
    externals: [...graph.externals],
    entry,
    exported,
    redirects: Object.fromEntries(replaced),
  };
}

const frames = [...simulations, stampede, burst, swapFrame, placesFrame];

/** How each of `scenarios` ends with an answer, computed in Node; nothing where there is no scene. */
export async function sceneEndings(
  exercise: Exercise,
  answer: Answer,
  scenarios: readonly Scenario[],
): Promise<readonly string[]> {
  const gathered = gatherScene(exercise);
  const scene = sceneOf(exercise.spec.id);
  if (gathered === undefined || scene === undefined) return [];
  const parameters = frames.find(({ name }) => name === scene.simulation)?.parameters;
  const usual = defaultValues(parameters ?? []);
  const loaded = gathered.externals.map(async (name) => [name, await import(name)] as const);
  const task = {
    ...gathered,
    id: exercise.spec.id,
    answer: answerFiles(exercise, answer),
    values: scenarios.map(({ values }) => ({ ...usual, ...values, answer: "mine" })),
  };
  const recordings = await recordScene(task, new Map(await Promise.all(loaded)));
  return recordings.map((recording) => endingOf(scene, recording));
}
