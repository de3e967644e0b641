// A simulation of the site, run with an answer in its stage: the learner's module takes the place of the stage's, as
// `npm run stage mN -- --mine` lays it over. Runs in the worker, because the answer may never come back.

import type { Recording, Values } from "../simulations/simulation.ts";
import type { AnswerFiles, CompiledModules } from "./bundle.ts";
import { starterPath } from "./bundle.ts";
import { Linker } from "./linker.ts";
import { stripTypes } from "./strip-types.ts";

export interface Scene {
  /** The simulation, what it imports, and the exercise's adapters. */
  readonly modules: CompiledModules;
  readonly externals: readonly string[];
  /** Path of the simulation, and the name of its export. */
  readonly entry: string;
  readonly exported: string;
  /** Stage's file → the exercise's file that takes its place. */
  readonly redirects: Readonly<Record<string, string>>;
}

export interface SceneTask extends Scene {
  readonly id: string;
  readonly answer: AnswerFiles;
  readonly values: readonly Values[];
}

/** As a worker can send it: plain data. */
export type SceneRecording = Recording<unknown>;

interface Runs {
  readonly run: (values: Values) => SceneRecording | Promise<SceneRecording>;
}

/** One recording for each of `values`. */
export async function recordScene(
  task: SceneTask,
  externals: ReadonlyMap<string, unknown>,
): Promise<SceneRecording[]> {
  const modules = new Map(Object.entries(task.modules));
  for (const [name, text] of Object.entries(task.answer))
    modules.set(starterPath(task.id, name), stripTypes(text, name));
  const recordings: SceneRecording[] = [];
  for (const values of task.values) {
    // A world of its own for each: what one run leaves at a module's top level must not reach the other.
    const linker = new Linker({ modules, externals, redirects: new Map(Object.entries(task.redirects)) });
    const simulation = linker.load(task.entry)[task.exported] as Runs;
    recordings.push(await simulation.run(values));
  }
  return recordings;
}
