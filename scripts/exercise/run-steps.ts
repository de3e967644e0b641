// The requests that an exercise brings for `npm run exercise run`: `run.ts` in its folder. Its steps find what is promised
// with the solution in the stage, and something else with the starter: that is what makes them worth sending.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BrokenPromiseError } from "../command-line.ts";
import { DemoContext, type DemoStep } from "../demo.ts";
import type { Narrator } from "../narrator.ts";
import { layOver } from "../overlay.ts";
import { type Stack, startStack } from "../stack.ts";
import { type Answer, fileSource, movedText, runFile } from "./answer-source.ts";
import { assemble } from "./assemble.ts";
import type { Exercise } from "./exercise-spec.ts";
import { buildOverlay, overlayFiles, type StageName } from "./overlay.ts";

/** Loads the steps beside one answer: a step may import the answer as `./starter/NAME.ts`. `folder` is empty. */
export async function loadSteps(
  exercise: Exercise,
  answer: Answer,
  folder: string,
): Promise<readonly DemoStep[]> {
  const from = runFile(exercise);
  if (!existsSync(from)) return [];
  assemble(exercise, answer, folder);
  const to = join(folder, "run.ts");
  writeFileSync(to, movedText(exercise, fileSource(from), to, join(folder, "starter")));
  const { steps } = (await import(pathToFileURL(to).href)) as { readonly steps?: readonly DemoStep[] };
  if (steps === undefined) throw new BrokenPromiseError(`${exercise.spec.id}/run.ts exports no steps`);
  return steps;
}

export interface OverlaidStack {
  readonly stack: Stack;
  /** Files of the stage that the answer takes the place of, or adds. */
  readonly files: readonly string[];
}

export interface StackPlace {
  readonly port: number;
  readonly routers: number;
  /** Below `.state/`: what the stack writes, and the stage with the answer's files in it. */
  readonly name: string;
  readonly onLine: (source: string, line: string, stream: "stdout" | "stderr") => void;
}

/** Starts the exercise's stage with one answer's files in it. */
export async function startOverlaid(
  exercise: Exercise,
  answer: Answer,
  place: StackPlace,
): Promise<OverlaidStack> {
  const stage: StageName = exercise.spec.overlay?.stage ?? exercise.spec.milestone;
  const state = join(exercise.root, ".state", place.name);
  const overlay = buildOverlay(exercise.root, stage, overlayFiles(exercise, answer), place.name);
  const { folder, files } = layOver(stage, [overlay], `${state}-overlay`);
  const { port, routers, onLine } = place;
  const stack = await startStack({ stage, port, routers, stageFolder: folder, stateFolder: state, onLine });
  return { stack, files };
}

/** Takes every step, also after one that went otherwise than promised. Returns the titles of those that did. */
export async function takeSteps(steps: readonly DemoStep[], stack: Stack, tell: Narrator): Promise<string[]> {
  const context = new DemoContext(stack, tell);
  const broken: string[] = [];
  for (const [index, { title, why, run }] of steps.entries()) {
    tell({ event: "step", step: index + 1, of: steps.length, title });
    try {
      await run(context);
      tell({ event: "why", text: why });
    } catch (thrown) {
      broken.push(title);
      tell({ event: "fault", text: thrown instanceof Error ? thrown.message : String(thrown) });
    }
  }
  return broken;
}
