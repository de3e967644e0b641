// Turns what the test run and the compiler said into the one thing that a learner should read next.
// Pure: it reads no file, prints nothing and uses nothing of Node, so that the page judges by the same rules.

import type { ErrorResult, ModuleResult, TestResult } from "../../exercises/support/result-reporter.ts";
import type { Assembly } from "./assemble.ts";
import type { ExerciseSpec, WrongAnswer } from "./exercise-spec.ts";
import { modulesBelow, pathFrom, type RunOutcome } from "./run-outcome.ts";
import type { TypeFault } from "./type-check.ts";

export interface Place {
  /** Path from the root of the clone, with forward slashes. */
  readonly file: string;
  readonly line: number;
}

/** What the first failing test says; the words of `check`, or as many of them as are known. */
export interface FirstFailure {
  readonly id: string;
  readonly title: string;
  readonly sent: string | undefined;
  readonly expected: string | undefined;
  readonly got: string;
  readonly likely: string | undefined;
  readonly lookAt: string | undefined;
  readonly hint: number | undefined;
  /** Where the learner's code threw. */
  readonly thrownAt: Place | undefined;
  readonly printed: string;
}

export type Verdict =
  | { readonly kind: "passed"; readonly total: number }
  | {
      readonly kind: "failed";
      readonly passed: number;
      readonly total: number;
      readonly first: FirstFailure;
      /** Ids of every failing test, in order; only the first is shown. */
      readonly failing: readonly string[];
      /** Sentences of the wrong answers that fail exactly these tests, with the same values. */
      readonly misconceptions: readonly string[];
      readonly typeFaults: readonly PlacedFault[];
    }
  /** The tests pass, the compiler objects. */
  | { readonly kind: "type-error"; readonly total: number; readonly typeFaults: readonly PlacedFault[] }
  /** The file could not be loaded: a syntax error, a missing import, an error at its top level. */
  | { readonly kind: "unloadable"; readonly message: string; readonly typeFaults: readonly PlacedFault[] }
  /** The code no longer returned, and was ended. `during` is a test's title, or undefined while loading. */
  | { readonly kind: "runaway"; readonly during: string | undefined; readonly seconds: number }
  /** The code ended the test process: memory, or process.exit. */
  | { readonly kind: "died"; readonly during: string | undefined }
  /** Every test passes, but an error was left that nothing caught. */
  | { readonly kind: "uncaught"; readonly message: string; readonly thrownAt: Place | undefined }
  /** Our own fault: the tests did not run as described. */
  | { readonly kind: "ours"; readonly message: string };

export interface PlacedFault extends Place {
  readonly column: number;
  readonly message: string;
}

/**
 * @param untouched Files that still equal the starter's: nobody has held a misconception in them yet.
 * `misconceptions` are those whose wrong answers fail exactly these tests; whether they also show the same values is for the
 * caller to find out.
 */
export function judge(
  assembly: Assembly,
  outcome: RunOutcome,
  faults: readonly TypeFault[],
  untouched: readonly string[],
): Verdict {
  const { spec } = assembly.exercise;
  const typeFaults = faults.map(({ file, line, column, message }) => {
    return { ...placeOf(assembly, file, line), column, message };
  });
  if (outcome.kind === "stalled") {
    return {
      kind: "runaway",
      during: duringOf(outcome.running),
      seconds: Math.round(outcome.stallMs / 1000),
    };
  }
  if (outcome.kind === "crashed") {
    if (outcome.running.length === 0) {
      return { kind: "ours", message: outcome.output.trim() || "no test was started" };
    }
    return { kind: "died", during: duringOf(outcome.running) };
  }
  const modules = modulesBelow(outcome.results, assembly.folder);
  const broken = modules.flatMap((module) => module.errors)[0];
  if (broken !== undefined)
    return { kind: "unloadable", message: plainMessage(assembly, broken), typeFaults };
  const results = new Map(
    modules.flatMap((module: ModuleResult) => module.tests.map((test) => [test.title, test])),
  );
  const missing = spec.tests.find((test) => !results.has(test.title));
  if (missing !== undefined) return missingTest(outcome, missing.title);
  const failing = spec.tests.filter((test) => results.get(test.title)?.state !== "passed");
  const [first] = failing;
  const total = spec.tests.length;
  if (first === undefined) return judgePassing(assembly, outcome.results.unhandled, typeFaults, total);
  const result = results.get(first.title);
  const ids = failing.map((test) => test.id);
  const detail = firstFailure(assembly, first.id, first.title, result);
  const isTodo = result?.errors[0]?.detail?.kind === "todo";
  return {
    kind: "failed",
    passed: total - failing.length,
    total,
    first: detail,
    failing: ids,
    misconceptions: isTodo ? [] : candidatesOf(spec, ids, untouched).map((wrong) => wrong.because),
    typeFaults,
  };
}

/** The wrong answers that fail exactly the tests in `failing`, and not by a file that is `untouched`. */
export function candidatesOf(
  spec: ExerciseSpec,
  failing: readonly string[],
  untouched: readonly string[] = [],
): WrongAnswer[] {
  const key = [...failing].sort().join(" ");
  return spec.wrongAnswers.filter(
    (wrong) => !untouched.includes(wrong.replaces) && [...wrong.fails].sort().join(" ") === key,
  );
}

/** What differs from run to run: temporary folders, ports, ids. Any other number may be what the test is about. */
const passing = /(?<=cell-routing-[a-z0-9-]+-)\w{6}|(?<=127\.0\.0\.1:)\d+|[0-9a-f]{8}-[0-9a-f-]{27}/g;

/** What each failing test sent and got, as it is shown, without what differs from run to run. */
export function visibleValues(modules: readonly ModuleResult[]): ReadonlyMap<string, string> {
  const failed = modules.flatMap((module) => module.tests).filter((test) => test.state === "failed");
  return new Map(
    failed.map((test) => {
      const [first] = test.errors;
      const { sent = "", got = first?.message ?? "" } = first?.detail ?? {};
      return [test.title, `${sent}\n${got}`.replace(passing, "#")];
    }),
  );
}

/**
 * Those of `candidates` whose tests show the very values that the learner's show. `values` and `theirs` are what
 * `visibleValues` makes of the learner's run and of a run of each candidate.
 */
export function withTheSameValues(
  candidates: readonly WrongAnswer[],
  theirs: readonly ReadonlyMap<string, string>[],
  values: ReadonlyMap<string, string>,
): WrongAnswer[] {
  const text = (map: ReadonlyMap<string, string> | undefined) => JSON.stringify([...(map ?? [])]);
  return candidates.filter((_, index) => text(theirs[index]) === text(values));
}

function missingTest(outcome: RunOutcome, title: string): Verdict {
  const lost = outcome.kind === "finished" ? outcome.results.unhandled[0] : undefined;
  // A worker that ran out of memory takes its tests with it, and says so here.
  if (lost !== undefined) return { kind: "died", during: undefined };
  return { kind: "ours", message: `exercise.json names a test that did not run: "${title}"` };
}

function judgePassing(
  assembly: Assembly,
  unhandled: readonly ErrorResult[],
  typeFaults: readonly PlacedFault[],
  total: number,
): Verdict {
  const [uncaught] = unhandled;
  if (uncaught !== undefined) {
    const thrownAt = thrownIn(assembly, uncaught.stack);
    return { kind: "uncaught", message: plainMessage(assembly, uncaught), thrownAt };
  }
  return typeFaults.length > 0 ? { kind: "type-error", total, typeFaults } : { kind: "passed", total };
}

function firstFailure(
  assembly: Assembly,
  id: string,
  title: string,
  result: TestResult | undefined,
): FirstFailure {
  const error = result?.errors[0];
  const detail = error?.detail;
  return {
    id,
    title,
    sent: detail?.sent,
    expected: detail?.expected,
    got:
      detail?.got ?? (error === undefined ? "nothing: the test did not run" : plainMessage(assembly, error)),
    // Nobody has made a mistake yet in what is not written.
    likely: detail?.kind === "todo" ? undefined : detail?.likely,
    lookAt: detail?.lookAt,
    hint: detail?.hint,
    thrownAt: thrownIn(assembly, detail === undefined ? error?.stack : error?.causeStack),
    printed: result?.printed ?? "",
  };
}

/** The first line of the learner's own file in a stack. */
function thrownIn(assembly: Assembly, stack: string | undefined): Place | undefined {
  for (const match of (stack ?? "").matchAll(/\(?(?:file:\/\/)?([^\s()][^()\n]*\.ts):(\d+):\d+\)?$/gm)) {
    const [, path = "", line = "1"] = match;
    const assembled = path.replace(/^at (async )?/, "");
    const origin = assembly.origins.get(assembled);
    if (origin !== undefined && !assembled.includes("/test/")) return placeOf(assembly, origin, Number(line));
  }
  return undefined;
}

function placeOf(assembly: Assembly, file: string, line: number): Place {
  return { file: pathFrom(assembly.exercise.root, file), line };
}

/** The first lines of an error's message, with paths of the assembly turned back into the learner's. */
function plainMessage(assembly: Assembly, error: ErrorResult): string {
  const { root, folder, workspace } = assembly.exercise;
  const own = assembly.answer.kind === "workspace" ? workspace : `${folder}/starter`;
  const message = error.message
    .replaceAll(`${assembly.folder}/starter`, pathFrom(root, own))
    .replaceAll(`${root}/`, "");
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  return `${error.name}: ${lines.slice(0, 8).join("\n")}`;
}

function duringOf(
  running: readonly { readonly event: string; readonly title: string }[],
): string | undefined {
  return running.find((each) => each.event === "start")?.title;
}
