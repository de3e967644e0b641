// `npm run exercise run`: says whether the tests pass, starts the stage with the learner's files in it, sends the exercise's
// own requests, and begins again whenever a file is saved.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "../command-line.ts";
import type { DemoStep } from "../demo.ts";
import { type Narrator, textNarrator } from "../narrator.ts";
import { StartError } from "../processes.ts";
import type { Stack } from "../stack.ts";
import { listenToTyping } from "../stage-prompt.ts";
import { addressesOf, describeLogLine, isOfDemo, StopSignal } from "../stage-session.ts";
import type { Exercise } from "./exercise-spec.ts";
import { signatureOf } from "./interactive.ts";
import { loadSteps, startOverlaid, takeSteps } from "./run-steps.ts";
import { makeRunFolder } from "./test-run.ts";
import { type Context, check } from "./verbs.ts";
import type { Verdict } from "./verdict.ts";

export interface ServeOptions {
  readonly port: number;
  readonly routers: number;
  /** Send the requests and end. */
  readonly demoOnly: boolean;
  readonly write: (text: string) => void;
}

/** Exit code 0: as promised, or ended by the learner; 1: something was not as promised. */
export async function serveExercise(
  context: Context,
  exercise: Exercise,
  options: ServeOptions,
): Promise<number> {
  const { write } = options;
  const tell = textNarrator(write, context.colours);
  const stopSignal = new StopSignal();
  for (;;) {
    const signature = signatureOf(exercise);
    const outcome = await serveOnce(context, exercise, options, tell, stopSignal, signature);
    if (options.demoOnly) return outcome === "as promised" ? 0 : 1;
    if (outcome === "stopped") return 0;
    if (outcome !== "edited") {
      write(`${context.colours.dim("Waiting for you to save a file; Ctrl-C ends.")}\n`);
      if ((await editedOrStopped(exercise, signature, stopSignal)) === "stopped") return 0;
    }
    write(`\n${context.colours.bold("You saved a file: starting again with it.")}\n\n`);
  }
}

type Outcome = "as promised" | "not as promised" | "edited" | "stopped";

async function serveOnce(
  context: Context,
  exercise: Exercise,
  options: ServeOptions,
  tell: Narrator,
  stopSignal: StopSignal,
  signature: string,
): Promise<Outcome> {
  const { spec } = exercise;
  const say = (text: string) => options.write(`${text}\n`);
  const { verdict } = await check(context, exercise);
  say(testsInOneLine(verdict));
  if (verdict.kind === "unloadable" || verdict.kind === "runaway" || verdict.kind === "ours")
    return "not as promised";
  const stage = spec.overlay?.stage ?? spec.milestone;
  const name = `${stage}-exercise${options.port === 0 ? `-${process.pid}` : ""}`;
  using folder = makeRunFolder(exercise.root);
  let isQuiet = true;
  let stack: Stack | undefined;
  try {
    const steps = await loadSteps(exercise, { kind: "workspace" }, folder.path);
    const onLine = (source: string, line: string, stream: "stdout" | "stderr") => {
      if (!isQuiet && (stream === "stderr" || !isOfDemo(line)))
        tell({ event: "log", source, line: describeLogLine(line) });
    };
    const overlaid = await startOverlaid(exercise, { kind: "workspace" }, { ...options, name, onLine });
    stack = overlaid.stack;
    say(`Serving ${stage} with your files laid over it: ${overlaid.files.join(", ")}`);
    tell({ event: "ready", stage, ...addressesOf(stack) });
    const broken = await Promise.race([takeSteps(steps, stack, tell), stopSignal.raised]);
    if (typeof broken === "string") return "stopped";
    say(`\n${summaryOf(steps, broken, context)}`);
    if (options.demoOnly) return broken.length === 0 ? "as promised" : "not as promised";
    tell({ event: "staying", tryThis: [], ...addressesOf(stack) });
    isQuiet = false;
    const stopTyping = process.stdin.isTTY ? listenToTyping(stack) : () => {};
    try {
      return await editedOrStopped(exercise, signature, stopSignal);
    } finally {
      stopTyping();
    }
  } catch (thrown) {
    if (!(thrown instanceof StartError)) throw thrown;
    say(context.colours.red(`The stage does not start with your files: ${startWords(thrown)}`));
    return "not as promised";
  } finally {
    isQuiet = true;
    await stack?.stop();
    rmSync(join(exercise.root, ".state", `${name}-overlay`), { recursive: true, force: true });
    if (options.port === 0) rmSync(join(exercise.root, ".state", name), { recursive: true, force: true });
  }
}

async function editedOrStopped(
  exercise: Exercise,
  signature: string,
  stopSignal: StopSignal,
): Promise<Outcome> {
  for (;;) {
    if (await stopSignal.raisedWithin(300)) return "stopped";
    if (signatureOf(exercise) === signature) continue;
    // An editor may still be writing.
    await delay(100);
    return "edited";
  }
}

/** The verdict as one line: `run` shows requests, `check` shows tests. */
function testsInOneLine(verdict: Verdict): string {
  switch (verdict.kind) {
    case "passed":
      return `Tests: all ${verdict.total} pass.`;
    case "failed":
      return `Tests: ${verdict.passed} of ${verdict.total} pass; the first that fails: ${verdict.first.title}`;
    case "type-error":
      return `Tests: all ${verdict.total} pass, but the compiler objects: ${placed(verdict.typeFaults)}`;
    case "unloadable":
      return `Your code cannot be loaded: ${placed(verdict.typeFaults) || verdict.message}`;
    case "runaway":
      return `Tests: your code did not come back within ${verdict.seconds} s, so it is not served.`;
    case "died":
      return "Tests: your code ended the test process.";
    case "uncaught":
      return `Tests: all pass, but an error is left uncaught: ${verdict.message}`;
    case "ours":
      return `Tests: they could not be run, which is our fault: ${verdict.message}`;
    default:
      return verdict satisfies never;
  }
}

function placed(
  faults: readonly { readonly file: string; readonly line: number; readonly message: string }[],
) {
  const [first] = faults;
  return first === undefined ? "" : `${first.file}:${first.line}: ${first.message}`;
}

function summaryOf(steps: readonly DemoStep[], broken: readonly string[], { colours }: Context): string {
  if (steps.length === 0) throw new UsageError("This exercise brings no requests of its own.");
  if (broken.length === 0) return colours.green("✓ Every step went as promised.");
  return colours.red(`✗ ${broken.length} of ${steps.length} steps did not go as promised.`);
}

/** The sentence of the error among the last words of a part that did not start. */
function startWords(fault: StartError): string {
  return fault.output.find((line) => /Error\b/.test(line))?.trim() ?? fault.message;
}
