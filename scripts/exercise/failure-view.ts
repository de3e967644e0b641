// The words in which a verdict reaches the learner: one failing test, never a list. Pure text in, text out; the
// golden transcripts in `scripts/exercise/golden/` fix it.

import type { createColors } from "picocolors";
import { wrap } from "../wrap.ts";
import type { Exercise } from "./exercise-spec.ts";
import type { FirstFailure, PlacedFault, Verdict } from "./verdict.ts";

export type Colours = ReturnType<typeof createColors>;

/** How the learner goes on from a verdict: by a command, or by a key where keys are read. */
export interface Ways {
  readonly hint: string;
  readonly solution: string;
  readonly next: string;
}

const commands: Ways = {
  hint: "npm run exercise hint",
  solution: "npm run exercise solution",
  next: "npm run exercise next",
};

const labelWidth = 10;
const textWidth = 88;

/** The verdict on the learner's copy of an exercise, ready to print, without a final newline. */
export function verdictText(
  exercise: Exercise,
  verdict: Verdict,
  colours: Colours,
  ways: Ways = commands,
): string {
  const { spec } = exercise;
  const heading = (tally: string) =>
    `${colours.bold(spec.id)}  ${spec.title}${tally === "" ? "" : `  (${tally})`}`;
  const stopped = (title: string, ...lines: string[]) =>
    [heading(""), "", colours.red(`✗ ${title}`), "", ...lines].join("\n");
  switch (verdict.kind) {
    case "passed":
      return [
        heading(`${verdict.total} of ${verdict.total} tests pass`),
        "",
        colours.green("✓ Done. Every test passes."),
        "",
        `  Compare with the solution and why it is so: ${ways.solution}`,
        `  Go on when you want to:                     ${ways.next}`,
      ].join("\n");
    case "failed":
      return [
        heading(`${verdict.passed} of ${verdict.total} tests pass`),
        "",
        ...faultLines(verdict.typeFaults, colours, "The compiler objects, which may be the cause:"),
        colours.red(`✗ ${verdict.first.title}`),
        "",
        ...failureLines(exercise, verdict.first, ways),
        ...misconceptionLines(verdict.misconceptions, colours),
      ].join("\n");
    case "type-error":
      return [
        heading(`${verdict.total} of ${verdict.total} tests pass`),
        "",
        ...faultLines(
          verdict.typeFaults,
          colours,
          "The tests pass; what is left is the compiler's objection:",
        ),
      ]
        .join("\n")
        .trimEnd();
    case "unloadable":
      return verdict.typeFaults.length > 0
        ? stopped("your code cannot be loaded", ...faultLines(verdict.typeFaults, colours, "")).trimEnd()
        : stopped("your code cannot be loaded", field("Got", verdict.message));
    case "runaway":
      return stopped(
        verdict.during ?? "your code does not finish loading",
        field("Got", `nothing: your code had not come back after ${verdict.seconds} s and was stopped`),
        field("Likely", "A loop that never ends, or one that waits without ever letting other work run."),
      );
    case "died":
      return stopped(
        verdict.during ?? "the tests were cut short",
        field("Got", "the end of the test process"),
        field(
          "Likely",
          "Something grows without limit until the memory is used up, or process.exit is called.",
        ),
      );
    case "uncaught":
      return stopped(
        "every test passes, but an error is left that nothing caught",
        field("Got", verdict.message),
        ...(verdict.thrownAt === undefined
          ? []
          : [field("Look at", `${verdict.thrownAt.file}:${verdict.thrownAt.line}`)]),
        field("Likely", "A promise that nobody awaits, or an 'error' event without a listener."),
      );
    case "ours":
      return stopped(
        "this is our fault, not yours: the tests could not be run",
        field("Got", verdict.message),
      );
    default:
      return verdict satisfies never;
  }
}

/** 0: passed. 1: the learner's code is at fault. 2: ours. */
export function exitCodeOf(verdict: Verdict): 0 | 1 | 2 {
  if (verdict.kind === "passed") return 0;
  return verdict.kind === "ours" ? 2 : 1;
}

function failureLines(exercise: Exercise, first: FirstFailure, ways: Ways): string[] {
  const lines: string[] = [];
  if (first.sent !== undefined) lines.push(field("Sent", first.sent));
  if (first.expected !== undefined) lines.push(field("Expected", first.expected));
  const thrown = first.thrownAt === undefined ? "" : `\nat ${first.thrownAt.file}:${first.thrownAt.line}`;
  lines.push(field("Got", `${first.got}${thrown}`));
  if (first.printed !== "") lines.push(field("Printed", first.printed.trimEnd()));
  if (first.likely !== undefined) lines.push(field("Likely", first.likely));
  if (first.lookAt !== undefined)
    lines.push(field("Look at", `workspace/${exercise.spec.id}/${first.lookAt}`));
  const which = first.hint === undefined ? "" : ` (number ${first.hint} is about this)`;
  lines.push(field("Hint", `${ways.hint}${which}`));
  return lines;
}

function misconceptionLines(sentences: readonly string[], colours: Colours): string[] {
  if (sentences.length === 0) return [];
  return [
    "",
    colours.yellow("  A possible misunderstanding (it fails the same tests with the same values):"),
    ...sentences.map((sentence) => indent(wrap(sentence, textWidth), "  ")),
  ];
}

function faultLines(faults: readonly PlacedFault[], colours: Colours, lead: string): string[] {
  const [first] = faults;
  if (first === undefined) return [];
  const more = faults.length === 1 ? [] : [`            and ${faults.length - 1} more`];
  return [
    ...(lead === "" ? [] : [colours.yellow(`  ${lead}`)]),
    field("Where", `${first.file}:${first.line}, column ${first.column}`),
    field("Says", first.message),
    ...more,
    "",
  ];
}

/** One labelled entry; further lines stand below the first. */
function field(label: string, text: string): string {
  const lines = wrap(visible(text), textWidth).split("\n");
  return lines.map((line, index) => `  ${(index === 0 ? label : "").padEnd(labelWidth)}${line}`).join("\n");
}

/** Tabs, carriage returns and other characters that a terminal does not show, as JavaScript writes them. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be shown.
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f]/g, (each) => JSON.stringify(each).slice(1, -1));
}

export function indent(text: string, by: string): string {
  return text
    .split("\n")
    .map((line) => (line === "" ? "" : by + line))
    .join("\n");
}
