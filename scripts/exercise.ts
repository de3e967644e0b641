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
// npm run exercise run [ID]             serve real traffic through your code, and send the requests that tell a right answer
//                                       from a wrong one; --demo: and end; --port N; --routers N
//
// npm run exercise prove [ID ...]       for authors: proves these exercises, mutants included; --all: every one;
//                                       --quick leaves out the stages and the mutants
// npm run exercise refresh [ID ...]     for authors: keeps wrong and right answers as patches that fit their solution, and
//                                       takes solutions from the stage where they are the same
// npm run exercise mutate ID            for authors: the mutants of what the learner writes that no test notices
//
// ID: m1/01-route-lookup, m1/01 or route-lookup. Flags after `--`: --json, --number N.
// Exit codes: 0 good, 1 your code or your command is at fault, 2 ours.

import { createInterface, emitKeypressEvents } from "node:readline";
import { colours, readArguments, runProgram, UsageError, wholeNumber } from "./command-line.ts";
import { InteractiveView, questionOf } from "./exercise/interactive.ts";
import * as verbs from "./exercise/verbs.ts";
import { defaultPort, planStack } from "./stack-plan.ts";
import { projectRoot as root, stageFolder } from "./stages.ts";

const verbNames = ["list", "next", "check", "hint", "diff", "solution", "reset", "run"] as const;
type VerbName = (typeof verbNames)[number];

const isTerminal = process.stdout.isTTY === true && process.stdin.isTTY === true;
const context: verbs.Context = {
  root,
  colours: colours(),
  nowIso: () => new Date().toISOString(),
  columns: () => process.stdout.columns,
  notice: (text) => void process.stderr.write(`${text}\n`),
};

interface Flags {
  readonly json: boolean;
  readonly number: number | undefined;
  readonly sure: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const [first, ...others] = args;
  if (args.includes("--help") || args.includes("-h"))
    return print({ exitCode: 0, text: usage, data: { usage } }, false);
  if (first === "run") return serve(others);
  if (first === "prove" || first === "mutate" || first === "refresh") {
    // Read only when it is asked for: what authors need takes its time to load.
    const author = await import("./exercise/author-verbs.ts");
    return author[first](root, others);
  }
  const options = {
    json: { type: "boolean" },
    number: { type: "string" },
    sure: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  } as const;
  const { values, positionals } = readArguments(options, [...args]);
  const flags = { json: values.json ?? false, number: numberOf(values.number), sure: values.sure ?? false };
  const [name, id, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`What is "${extra}"? Write: npm run exercise VERB ID`);
  if (flags.number !== undefined && name !== "hint") throw new UsageError("--number goes with hint only");
  const { warning } = verbs.readProgress(context);
  if (warning !== undefined) process.stderr.write(`${warning}\n`);
  const verb = verbNames.find((each) => each === name);
  if (verb === undefined && id !== undefined)
    throw new UsageError(
      `unknown verb "${name}": one of ${verbNames.join(", ")}; or name one exercise alone`,
    );
  if (verb !== undefined) return print(await runVerb(verb, id, flags), flags.json);
  if (isTerminal && !flags.json) return watch(name);
  // In a pipe there is nobody to watch for: say where the learner is, check once.
  const exercise = await verbs.open(context, name);
  const report = await verbs.check(context, exercise);
  const text = `${verbs.taskText(exercise, context)}\n\n${report.text}`;
  return print({ ...report, text }, flags.json);
}

async function runVerb(verb: VerbName, id: string | undefined, flags: Flags): Promise<verbs.Report> {
  if (id !== undefined && (verb === "list" || verb === "next"))
    throw new UsageError(`${verb} takes no ID; to open an exercise: npm run exercise ${id}`);
  if (verb === "list") return verbs.list(context);
  if (verb === "next") {
    const report = await verbs.next(context);
    const isAtEnd = report.data["exercise"] === null;
    return isAtEnd
      ? report
      : { ...report, text: `${report.text}\n\nWatch it while you work: npm run exercise` };
  }
  const exercise = verbs.find(context, id);
  if (flags.number !== undefined) verbs.expectHint(exercise, flags.number);
  const question = verb in questionOf ? questionOf[verb as keyof typeof questionOf] : undefined;
  // The keys of the interactive view ask the same; in a pipe nobody could answer.
  const mayAsk = isTerminal && !flags.json && !flags.sure;
  if (question !== undefined && mayAsk && (verb === "reset" || !verbs.isSolved(context, exercise))) {
    if (!(await confirmed(question))) return { exitCode: 0, text: "Nothing was done.", data: {} };
  }
  await verbs.visit(context, exercise);
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

async function confirmed(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await new Promise<string>((resolve) => {
    lines.once("close", () => resolve(""));
    lines.question(`${question} [y/N] `, resolve);
  });
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** Serves real traffic with the learner's files laid over their stage, until Ctrl-C. */
async function serve(args: readonly string[]): Promise<number> {
  const known = {
    demo: { type: "boolean" },
    port: { type: "string" },
    routers: { type: "string" },
  } as const;
  const { values, positionals } = readArguments(known, [...args]);
  const [id, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`What is "${extra}"? Write: npm run exercise run ID`);
  const options = {
    port: wholeNumber("--port", values.port ?? String(defaultPort), 0, 65_535),
    routers: wholeNumber("--routers", values.routers ?? "1", 1, 10),
    demoOnly: values.demo === true,
    write: (text: string) => void process.stdout.write(text),
  };
  const exercise = verbs.find(context, id);
  if (exercise.spec.overlay === undefined)
    throw new UsageError(`${exercise.spec.id} takes no stage file's place; its code runs in its tests only.`);
  const { stage } = exercise.spec.overlay;
  planStack({ ...options, stage, stageFolder: stageFolder(stage) });
  await verbs.visit(context, exercise);
  const { serveExercise } = await import("./exercise/serve.ts");
  return await serveExercise(context, exercise, options);
}

async function watch(wanted: string | undefined): Promise<number> {
  const write = (text: string) => void process.stdout.write(text);
  // The screen and what had scrolled out of it, then the upper left corner.
  const view = await InteractiveView.start(context, wanted, write, "\u001b[2J\u001b[3J\u001b[H");
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
      if (key.ctrl === true) {
        if (key.name === "l") queue = queue.then(() => view.redraw()).catch(end);
        return undefined;
      }
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
  next            open the next one that is not done (the other verbs leave you where you are)
  check           run the tests once
  hint            one hint more; --number N for one of them
  diff            your files against the solution
  solution        the solution and why it is so
  reset           begin again; your files are archived first
  run             serve real traffic through your code; --demo ends after the requests; --port N, --routers N
ID                m1/01-route-lookup, m1/01 or route-lookup; without it, the one that you are at
  --sure          do not ask before diff, solution and reset
  --json          for programs
  --help          this text
For authors: prove, refresh and mutate; scripts/exercise.ts says how.`;

// A reader that went away (`| head`) is no fault of anybody's.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 2));

await runProgram("exercise", () => main(process.argv.slice(2)));
