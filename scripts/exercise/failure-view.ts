// The words in which a verdict reaches the learner: one failing test, never a list. Pure text in, text out; the
// golden transcripts in `scripts/exercise/golden/` fix it.

import type { createColors } from "picocolors";
import { wrap } from "../wrap.ts";
import type { Exercise } from "./exercise-spec.ts";
import type { Verdict } from "./verdict.ts";
import { type Entry, misconceptionLead, type VerdictWords, verdictWords, visible } from "./verdict-words.ts";

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
  const { id, title } = exercise.spec;
  const words = verdictWords(verdict, { hint: ways.hint, folder: `workspace/${id}/` });
  const faults = faultLines(words.faults, colours);
  const lines = [`${colours.bold(id)}  ${title}${words.tally === "" ? "" : `  (${words.tally})`}`, ""];
  if (words.faults?.lead !== "") lines.push(...faults);
  if (words.title !== undefined)
    lines.push(words.isGood ? colours.green(`✓ ${words.title}`) : colours.red(`✗ ${words.title}`), "");
  if (words.faults?.lead === "") lines.push(...faults);
  lines.push(...words.entries.map(field), ...misconceptionLines(words.misconceptions, colours));
  if (words.isGood) {
    lines.push(`  Compare with the solution and why it is so: ${ways.solution}`);
    lines.push(`  Go on when you want to:                     ${ways.next}`);
  }
  return lines.join("\n").trimEnd();
}

/** 0: passed. 1: the learner's code is at fault. 2: ours. */
export function exitCodeOf(verdict: Verdict): 0 | 1 | 2 {
  if (verdict.kind === "passed") return 0;
  return verdict.kind === "ours" ? 2 : 1;
}

function misconceptionLines(sentences: readonly string[], colours: Colours): string[] {
  if (sentences.length === 0) return [];
  return [
    "",
    colours.yellow(`  ${misconceptionLead}`),
    ...sentences.map((sentence) => indent(wrap(sentence, textWidth), "  ")),
  ];
}

function faultLines(faults: VerdictWords["faults"], colours: Colours): string[] {
  if (faults === undefined) return [];
  const more = faults.more === 0 ? [] : [`            and ${faults.more} more`];
  return [
    ...(faults.lead === "" ? [] : [colours.yellow(`  ${faults.lead}`)]),
    ...faults.entries.map(field),
    ...more,
    "",
  ];
}

/** One labelled entry; further lines stand below the first. */
function field({ label, text }: Entry): string {
  const lines = wrap(visible(text), textWidth).split("\n");
  return lines.map((line, index) => `  ${(index === 0 ? label : "").padEnd(labelWidth)}${line}`).join("\n");
}

export function indent(text: string, by: string): string {
  return text
    .split("\n")
    .map((line) => (line === "" ? "" : by + line))
    .join("\n");
}
