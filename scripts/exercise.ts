// The workbook's exercises.
//
// npm run exercise [ID]                 resume (or open ID): shows the task, watches, shows the first failing test
// npm run exercise list                 all exercises and where you are
// npm run exercise next                 open the next one that is not done
// npm run exercise check [ID]           run the tests once; shows the first failing test
// npm run exercise hint [ID]            one hint more; --number N for one of them
// npm run exercise diff [ID]            your files against the solution
// npm run exercise solution [ID]        the solution and why it is so
// npm run exercise reset [ID]           begin again; your files are archived first
// npm run exercise run [ID]             serve real traffic through your code; further flags after -- go to the stage
//
// npm run exercise prove [ID ...]       for authors: proves these exercises, mutants included; --all: every one;
//                                       --quick leaves out the stages and the mutants
// npm run exercise mutate ID            for authors: the mutants of what the learner writes that no test notices
//
// ID: m1/01-route-lookup, m1/01 or route-lookup. Flags after `--`: --json, --number N.
// Exit codes: 0 good, 1 your code or your command is at fault, 2 ours.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface, emitKeypressEvents } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import type { Finding } from "./check.ts";
import {
  BrokenPromiseError,
  colours,
  readArguments,
  runProgram,
  UsageError,
  wholeNumber,
} from "./command-line.ts";
import {
  exerciseJsonSchema,
  listExerciseIds,
  loadExercise,
  resolveExerciseId,
} from "./exercise/exercise-spec.ts";
import { InteractiveView } from "./exercise/interactive.ts";
import { mutateExercises } from "./exercise/mutation.ts";
import { buildOverlay, overlayFiles } from "./exercise/overlay.ts";
import { proveOverlays } from "./exercise/overlay-proof.ts";
import { proveExercises } from "./exercise/proof.ts";
import * as verbs from "./exercise/verbs.ts";
import { projectRoot as root } from "./stages.ts";

const verbNames = ["list", "next", "check", "hint", "diff", "solution", "reset", "run"] as const;
type VerbName = (typeof verbNames)[number];

const isTerminal = process.stdout.isTTY === true && process.stdin.isTTY === true;
const context: verbs.Context = {
  root,
  colours: colours(),
  nowIso: () => new Date().toISOString(),
  columns: () => process.stdout.columns,
};

interface Flags {
  readonly json: boolean;
  readonly number: number | undefined;
  readonly rest: readonly string[];
}

async function main(args: readonly string[]): Promise<number> {
  const [first, ...others] = args;
  if (first === "run") return serve(others);
  if (first === "prove") return prove(others);
  if (first === "mutate") return mutate(others);
  const { values, positionals } = readArguments(
    { json: { type: "boolean" }, number: { type: "string" }, help: { type: "boolean", short: "h" } },
    [...args],
  );
  if (values.help === true) return print({ exitCode: 0, text: usage, data: { usage } }, false);
  const flags = { json: values.json ?? false, number: numberOf(values.number), rest: [] };
  const [name, id, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`What is "${extra}"? Write: npm run exercise VERB ID`);
  const { warning } = verbs.readProgress(context);
  if (warning !== undefined) process.stderr.write(`${warning}\n`);
  const verb = verbNames.find((each) => each === name);
  if (verb !== undefined) return print(await runVerb(verb, id, flags), flags.json);
  if (isTerminal && !flags.json) return watch(name);
  // In a pipe there is nobody to watch for: say where the learner is, check once.
  const exercise = await verbs.open(context, name);
  const report = await verbs.check(context, exercise);
  const text = `${verbs.taskText(exercise, context)}\n\n${report.text}`;
  return print({ ...report, text }, flags.json);
}

async function runVerb(verb: VerbName, id: string | undefined, flags: Flags): Promise<verbs.Report> {
  if (verb === "list") return verbs.list(context);
  if (verb === "next") return verbs.next(context);
  const exercise = await verbs.open(context, id);
  switch (verb) {
    case "check":
      return verbs.check(context, exercise);
    case "hint":
      return verbs.hint(context, exercise, flags.number);
    case "diff":
      return verbs.diff(context, exercise);
    case "solution":
      return verbs.solution(context, exercise);
    case "reset":
      return verbs.reset(context, exercise);
    case "run":
      throw new UsageError("run takes its flags itself");
    default:
      return verb satisfies never;
  }
}

/** For authors: everything that must hold of the named exercises, or of all of them. */
async function prove(args: readonly string[]): Promise<number> {
  const options = { quick: { type: "boolean" }, all: { type: "boolean" } } as const;
  const { values, positionals: wanted } = readArguments(options, [...args]);
  if (values.all === true && wanted.length > 0)
    throw new UsageError("Name exercises, or write --all: not both.");
  writeSchema();
  const ids = listExerciseIds(root);
  const only = wanted.length === 0 ? ids : wanted.map((each) => resolveExerciseId(ids, each));
  const proof = await proveExercises(root, only);
  const findings = [...proof.findings];
  let mutants = 0;
  if (values.quick !== true) {
    findings.push(...(await proveOverlays(root, proof.exercises)));
    for (const result of await mutateExercises(proof.exercises)) {
      findings.push(...result.findings);
      mutants += result.mutants.length;
    }
  }
  printFindings(findings);
  process.stdout.write(
    `${proof.exercises.length} exercises, ${proof.answers} answers, ${mutants} mutants, ${findings.length} findings\n`,
  );
  return findings.some((finding) => finding.level === "error") ? 1 : 0;
}

/** For authors: each mutant that no test notices, and the score of each exercise. */
async function mutate(args: readonly string[]): Promise<number> {
  const { positionals: wanted } = readArguments({}, [...args]);
  if (wanted.length === 0) throw new UsageError("Which exercise? Write: npm run exercise mutate ID");
  const ids = listExerciseIds(root);
  const exercises = wanted.map((each) => loadExercise(root, resolveExerciseId(ids, each)));
  const results = await mutateExercises(exercises);
  for (const { exercise, mutants, survivors, equivalent, findings } of results) {
    printFindings(findings);
    const killed = mutants.length - survivors.length - equivalent;
    process.stdout.write(
      `${exercise.spec.id}: ${mutants.length} mutants, ${killed} killed, ${equivalent} equivalent, ${survivors.length} survive\n`,
    );
  }
  return results.some((result) => result.findings.length > 0) ? 1 : 0;
}

function printFindings(findings: readonly Finding[]): void {
  for (const { level, where, what } of findings)
    process.stdout.write(`${level} ${where}\n  ${what.replaceAll("\n", "\n  ")}\n`);
}

/** Brings the JSON Schema that editors use up to date; leaves the file alone, formatting and all, when it is. */
function writeSchema(): void {
  const file = join(root, "exercises", "exercise.schema.json");
  const wanted = exerciseJsonSchema();
  const written: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
  if (!isDeepStrictEqual(written, JSON.parse(wanted))) writeFileSync(file, wanted);
}

/** Starts the exercise's stage with the learner's files laid over it, and stays until it ends. */
async function serve(args: readonly string[]): Promise<number> {
  const id = args[0]?.startsWith("-") === false ? args[0] : undefined;
  const stageFlags = id === undefined ? args : args.slice(1);
  const exercise = await verbs.open(context, id);
  const { overlay } = exercise.spec;
  if (overlay === undefined) {
    throw new UsageError(`${exercise.spec.id} takes no stage file's place; its code runs in its tests only.`);
  }
  const folder = buildOverlay(root, overlay.stage, overlayFiles(exercise, { kind: "workspace" }));
  const stage = join(root, "scripts", "stage.ts");
  if (!existsSync(stage))
    throw new BrokenPromiseError("scripts/stage.ts is missing: this clone cannot start a stage");
  process.stdout.write(`Serving ${overlay.stage} with your ${exercise.spec.files.join(", ")} in it.\n`);
  const child = spawn(process.execPath, [stage, overlay.stage, "--overlay", folder, ...stageFlags], {
    cwd: root,
    stdio: "inherit",
  });
  // The terminal sends Ctrl-C to both; the stage cleans up, and this waits for it.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 2));
  });
}

async function watch(wanted: string | undefined): Promise<number> {
  const view = await InteractiveView.start(context, wanted, (text) => void process.stdout.write(text));
  const lines = createInterface({ input: process.stdin });
  emitKeypressEvents(process.stdin, lines);
  process.stdin.setRawMode(true);
  process.stdin.resume();
  return new Promise((_resolve, reject) => {
    // Polling, because it also sees what editors replace, and works on mounted and shared folders.
    const timer = setInterval(() => void view.poll().catch(end), 300);
    const end = (outcome: unknown) => {
      clearInterval(timer);
      process.stdin.setRawMode(false);
      lines.close();
      // A check may be under way; its process ends with this one.
      if (typeof outcome === "number") process.exit(outcome);
      else reject(outcome);
    };
    // One key after the other: `r` and then `y` must not overtake each other.
    let queue: Promise<unknown> = Promise.resolve();
    process.stdin.on("keypress", (_text: string | undefined, key: { name?: string; ctrl?: boolean }) => {
      if (key.ctrl === true && key.name === "c") return end(0);
      queue = queue.then(() => view.key(key.name ?? "")).then((stays) => stays || end(0), end);
      return undefined;
    });
  });
}

function print(report: verbs.Report, json: boolean): number {
  const text = json ? JSON.stringify({ ...report.data, exitCode: report.exitCode }) : report.text;
  process.stdout.write(`${text}\n`);
  return report.exitCode;
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return wholeNumber("--number", text, 1, 99);
}

const usage = `Usage: npm run exercise [ID]             resume (or open ID): the task, and the first failing test at each change
       npm run exercise VERB [ID] [-- flags]
  list            all exercises and where you are
  next            open the next one that is not done
  check           run the tests once
  hint            one hint more; --number N for one of them
  diff            your files against the solution
  solution        the solution and why it is so
  reset           begin again; your files are archived first
  run             serve real traffic through your code; further flags go to the stage
ID                m1/01-route-lookup, m1/01 or route-lookup; without it, the one that you are at
  --json          for programs
  --help          this text`;

// A reader that went away (`| head`) is no fault of anybody's.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 2));

await runProgram("exercise", () => main(process.argv.slice(2)));
