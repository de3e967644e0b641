// The plain verbs: list, next, check, hint, diff, solution, reset. Each does one thing, returns what to print and
// an exit code, and works the same from a script, in a pipe and behind a key of the interactive view.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import { UsageError } from "../command-line.ts";
import { answerSource } from "./answer-source.ts";
import { checkAnswer } from "./check-answer.ts";
import { type Exercise, listExerciseIds, loadExercise, resolveExerciseId } from "./exercise-spec.ts";
import { type Colours, exitCodeOf, verdictText } from "./failure-view.ts";
import { type Hint, hintsOf, readmeOf, whyOf } from "./lesson-text.ts";
import { loadProgress, type Progress, saveProgress, updateEntry } from "./progress.ts";
import { reflow } from "./reflow.ts";
import type { Verdict } from "./verdict.ts";
import { openWorkspace, resetWorkspace } from "./workspace.ts";

export interface Context {
  /** Root of the clone. */
  readonly root: string;
  readonly colours: Colours;
  readonly nowIso: () => string;
  /** Width of the terminal, to which prose is fitted; absent for a pipe. */
  readonly columns?: () => number | undefined;
  /** Says what the learner did not ask for and has to know. */
  readonly notice?: (text: string) => void;
}

export interface Report {
  readonly exitCode: 0 | 1 | 2;
  readonly text: string;
  /** The same for programs. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The learner's progress, with a warning when the file had to be set aside. */
export function readProgress(context: Context): { progress: Progress; warning: string | undefined } {
  const loaded = loadProgress(context.root, context.nowIso());
  if (loaded.kind !== "corrupt") return { progress: loaded.progress, warning: undefined };
  const warning = `Progress could not be read (${loaded.reason}). It is kept at ${loaded.keptAt}; your code is untouched.`;
  return { progress: loaded.progress, warning };
}

/** Opens an exercise (the named one, else the current one, else the first) and makes it the current one. */
export async function open(context: Context, wanted: string | undefined): Promise<Exercise> {
  const exercise = find(context, wanted);
  await visit(context, exercise);
  const { progress } = readProgress(context);
  const { id } = exercise.spec;
  if (progress.current !== id) await saveProgress(context.root, { ...progress, current: id });
  return exercise;
}

/** The exercise that `open` would open. Changes nothing: a command looks at its other arguments first. */
export function find(context: Context, wanted: string | undefined): Exercise {
  const ids = listExerciseIds(context.root);
  const { progress } = readProgress(context);
  const resumed =
    progress.current !== undefined && ids.includes(progress.current) ? progress.current : ids[0];
  const id = wanted === undefined ? resumed : resolveExerciseId(ids, wanted);
  if (id === undefined) throw new UsageError("There are no exercises in this clone.");
  return loadExercise(context.root, id);
}

/** As `open`, but the learner stays where they are: to look at another exercise is not to go there. */
export async function visit(context: Context, exercise: Exercise): Promise<void> {
  const { progress } = readProgress(context);
  const { id } = exercise.spec;
  const isNew = progress.exercises[id] === undefined;
  const written = openWorkspace(exercise);
  if (isNew) {
    const entered = updateEntry(progress, id, context.nowIso());
    await saveProgress(context.root, { ...entered, current: progress.current ?? id });
  } else if (written.length > 0) {
    context.notice?.(`${written.join(", ")} was gone from workspace/${id}: it is the starter's again.`);
  }
}

export function taskText(exercise: Exercise, { colours, columns }: Context): string {
  const { spec } = exercise;
  const parts = readmeOf(exercise).map(({ heading, body }) => {
    return `${colours.bold(heading)}\n${reflow(body, columns?.())}`;
  });
  const edit = spec.files.map((name) => `  workspace/${spec.id}/${name}`).join("\n");
  const title = `${colours.bold(spec.id)}  ${spec.title}  (about ${spec.minutes} minutes)`;
  return [title, ...parts, `${colours.bold("Edit")}\n${edit}`].join("\n\n");
}

export function list(context: Context): Report {
  const { progress } = readProgress(context);
  const rows = listExerciseIds(context.root).map((id) => {
    const { spec } = loadExercise(context.root, id);
    const entry = progress.exercises[id];
    const status = entry?.passedAt !== undefined ? "done" : entry !== undefined ? "open" : "new";
    return { id, title: spec.title, minutes: spec.minutes, status, current: progress.current === id };
  });
  const marks = { done: context.colours.green("✓"), open: context.colours.yellow("…"), new: " " };
  const text = rows.map(
    (row) =>
      `${row.current ? ">" : " "} ${marks[row.status as keyof typeof marks]} ${row.id.padEnd(28)}${String(row.minutes).padStart(3)} min  ${row.title}`,
  );
  const done = rows.filter((row) => row.status === "done").length;
  return {
    exitCode: 0,
    text: [
      ...text,
      "",
      `${done} of ${rows.length} done. ${rows.some((row) => row.current) ? "> is where you are; open another one" : "Open one"}: npm run exercise ID`,
    ].join("\n"),
    data: { exercises: rows, current: progress.current ?? null },
  };
}

export async function next(context: Context): Promise<Report> {
  const ids = listExerciseIds(context.root);
  const { progress } = readProgress(context);
  const from = progress.current === undefined ? -1 : ids.indexOf(progress.current);
  // Forward first, then from the beginning: what was skipped is still offered.
  const order = [...ids.slice(from + 1), ...ids.slice(0, from + 1)];
  const id = order.find((each) => progress.exercises[each]?.passedAt === undefined);
  if (id === undefined) return { exitCode: 0, text: whatIsNext, data: { exercise: null } };
  const exercise = await open(context, id);
  const why =
    ids.indexOf(id) > from
      ? "the next one that is not done"
      : "none after it is open: back to the first one that is not done";
  const way = progress.current === undefined ? "" : `From ${progress.current} to ${id}: ${why}.\n\n`;
  return {
    exitCode: 0,
    text: `${way}${taskText(exercise, context)}`,
    data: { exercise: id, title: exercise.spec.title },
  };
}

/** The end of the last exercise leads somewhere. */
const whatIsNext = [
  "All exercises are done.",
  "",
  "Now write a router of your own, in any language, and hold it to what the stages are held to:",
  "  npm run contract -- --help   the promises of m1 to m4, against any program that speaks HTTP",
  "  npm run fuzz -- --help       malformed messages, from a seed",
  "  npm run gameday -- --help    minutes of traffic while cells, routers and the control plane are disturbed",
  "  npm run bench -- --help      side by side with the stages and other proxies",
  "And read how the same router looks elsewhere: ports/.",
].join("\n");

export async function check(
  context: Context,
  exercise: Exercise,
): Promise<Report & { readonly verdict: Verdict }> {
  const verdict = await checkAnswer(exercise, { kind: "workspace" });
  const { id } = exercise.spec;
  if (verdict.kind === "passed") {
    const { progress } = readProgress(context);
    const passedAt = progress.exercises[id]?.passedAt ?? context.nowIso();
    await saveProgress(context.root, updateEntry(progress, id, context.nowIso(), { passedAt }));
  }
  const text = verdictText(exercise, verdict, context.colours);
  return { exitCode: exitCodeOf(verdict), text, data: { exercise: id, verdict }, verdict };
}

/** The hint of that number. @throws UsageError where there is none */
export function expectHint(exercise: Exercise, number: number): Hint {
  const hints = hintsOf(exercise);
  const found = hints[number - 1];
  if (found === undefined)
    throw new UsageError(`There is no hint ${number}: this exercise has ${hints.length}.`);
  return found;
}

/** Shows one hint more than last time, or the hint of that number. The last one is repeated. */
export async function hint(context: Context, exercise: Exercise, number?: number): Promise<Report> {
  const hints = hintsOf(exercise);
  const { id } = exercise.spec;
  const { progress } = readProgress(context);
  const seen = progress.exercises[id]?.hints ?? 0;
  const wanted = number ?? Math.min(seen + 1, hints.length);
  const found = expectHint(exercise, wanted);
  await saveProgress(
    context.root,
    updateEntry(progress, id, context.nowIso(), { hints: Math.max(seen, wanted) }),
  );
  const { colours } = context;
  const text = `${colours.bold(`Hint ${wanted} of ${hints.length}`)}  ${found.question}\n\n${reflow(found.body, context.columns?.())}`;
  return { exitCode: 0, text, data: { exercise: id, hint: wanted, of: hints.length, ...found } };
}

/** The learner's copy against the solution. */
export async function diff(context: Context, exercise: Exercise): Promise<Report> {
  const patches = exercise.spec.files.map((name) => {
    const mine = join(exercise.workspace, name);
    const text = existsSync(mine) ? readFileSync(mine, "utf8") : "";
    const solution = answerSource(exercise, { kind: "solution" }, name).text;
    if (text === solution) return `${name}: the same`;
    const headers = { headerOptions: FILE_HEADERS_ONLY };
    return createTwoFilesPatch(name, name, text, solution, "yours", "solution", headers);
  });
  await markSolutionSeen(context, exercise);
  const patch = patches.join("\n");
  return {
    exitCode: 0,
    text: colourPatch(patch, context.colours),
    data: { exercise: exercise.spec.id, patch },
  };
}

export async function solution(context: Context, exercise: Exercise): Promise<Report> {
  const files = exercise.spec.files.map((name) => ({
    name,
    text: answerSource(exercise, { kind: "solution" }, name).text,
  }));
  const why = whyOf(exercise);
  await markSolutionSeen(context, exercise);
  const parts = files.map((file) => `${context.colours.bold(file.name)}\n\n${file.text}`);
  const text = [...parts, reflow(why, context.columns?.())].join("\n");
  return { exitCode: 0, text, data: { exercise: exercise.spec.id, files, why } };
}

export function reset(context: Context, exercise: Exercise): Report {
  const archive = resetWorkspace(exercise, context.nowIso());
  const kept = archive === undefined ? null : archive.slice(join(context.root, "/").length);
  const text = kept === null ? "Reset to the starter." : `Reset to the starter. Your files are in ${kept}`;
  return { exitCode: 0, text, data: { exercise: exercise.spec.id, archive: kept } };
}

/** Whether it has passed once: its solution gives nothing away then. */
export function isSolved(context: Context, exercise: Exercise): boolean {
  return readProgress(context).progress.exercises[exercise.spec.id]?.passedAt !== undefined;
}

async function markSolutionSeen(context: Context, exercise: Exercise): Promise<void> {
  const { progress } = readProgress(context);
  const { id } = exercise.spec;
  await saveProgress(context.root, updateEntry(progress, id, context.nowIso(), { sawSolution: true }));
}

function colourPatch(patch: string, colours: Colours): string {
  return patch
    .split("\n")
    .map((line) => {
      if (line.startsWith("+")) return colours.green(line);
      if (line.startsWith("-")) return colours.red(line);
      return line.startsWith("@@") ? colours.cyan(line) : line;
    })
    .join("\n");
}
