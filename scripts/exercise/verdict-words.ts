// What a verdict says to the learner, before anybody lays it out: one failing test, never a list. Pure; the terminal's
// view (`failure-view.ts`) and the page show the same words.

import type { FirstFailure, PlacedFault, Verdict } from "./verdict.ts";

/** One labelled part: `Sent`, `Expected`, `Got` and so on. */
export interface Entry {
  readonly label: string;
  readonly text: string;
}

export interface VerdictWords {
  /** `3 of 9 tests pass`; empty where the tests did not run. */
  readonly tally: string;
  readonly isGood: boolean;
  /** What it is about, most often the title of the first test that fails. Undefined when only the compiler objects. */
  readonly title: string | undefined;
  readonly entries: readonly Entry[];
  /** What the compiler says of the first fault. `lead` introduces it; empty when it is all there is to say. */
  readonly faults:
    | { readonly lead: string; readonly entries: readonly Entry[]; readonly more: number }
    | undefined;
  readonly misconceptions: readonly string[];
}

/** How the learner gets a hint, and where the learner's files lie. */
export interface Place {
  readonly hint: string;
  /** Stands before the file that `Look at` names: `workspace/m1/01-route-lookup/`. */
  readonly folder: string;
}

export const misconceptionLead =
  "A possible misunderstanding (it fails the same tests with the same values):";

export function verdictWords(verdict: Verdict, place: Place): VerdictWords {
  switch (verdict.kind) {
    case "passed":
      return { ...stopped("Done. Every test passes."), isGood: true, tally: tallyOf(verdict.total, verdict) };
    case "failed":
      return {
        ...stopped(verdict.first.title, ...failureEntries(verdict.first, place)),
        tally: tallyOf(verdict.passed, verdict),
        faults: faultsOf(verdict.typeFaults, "The compiler objects, which may be the cause:"),
        misconceptions: verdict.misconceptions,
      };
    case "type-error":
      return {
        ...stopped(undefined),
        tally: tallyOf(verdict.total, verdict),
        faults: faultsOf(verdict.typeFaults, "The tests pass; what is left is the compiler's objection:"),
      };
    case "unloadable":
      return verdict.typeFaults.length > 0
        ? { ...stopped("your code cannot be loaded"), faults: faultsOf(verdict.typeFaults, "") }
        : stopped("your code cannot be loaded", { label: "Got", text: verdict.message });
    case "runaway":
      return stopped(
        verdict.during ?? "your code does not finish loading",
        {
          label: "Got",
          text: `nothing: your code had not come back after ${verdict.seconds} s and was stopped`,
        },
        {
          label: "Likely",
          text: "A loop that never ends, or one that waits without ever letting other work run.",
        },
      );
    case "died":
      return stopped(
        verdict.during ?? "the tests were cut short",
        { label: "Got", text: "the end of the test process" },
        {
          label: "Likely",
          text: "Something grows without limit until the memory is used up, or process.exit is called.",
        },
      );
    case "uncaught":
      return stopped(
        "every test passes, but an error is left that nothing caught",
        { label: "Got", text: verdict.message },
        ...(verdict.thrownAt === undefined
          ? []
          : [{ label: "Look at", text: `${verdict.thrownAt.file}:${verdict.thrownAt.line}` }]),
        { label: "Likely", text: "A promise that nobody awaits, or an 'error' event without a listener." },
      );
    case "ours":
      return stopped("this is our fault, not yours: the tests could not be run", {
        label: "Got",
        text: verdict.message,
      });
    default:
      return verdict satisfies never;
  }
}

function stopped(title: string | undefined, ...entries: Entry[]): VerdictWords {
  return { tally: "", isGood: false, title, entries, faults: undefined, misconceptions: [] };
}

function tallyOf(passed: number, { total }: { readonly total: number }): string {
  return `${passed} of ${total} tests pass`;
}

function failureEntries(first: FirstFailure, { hint, folder }: Place): Entry[] {
  const thrown = first.thrownAt === undefined ? "" : `\nat ${first.thrownAt.file}:${first.thrownAt.line}`;
  const which = first.hint === undefined ? "" : ` (number ${first.hint} is about this)`;
  const entries: [string, string | undefined][] = [
    ["Sent", first.sent],
    ["Expected", first.expected],
    ["Got", `${first.got}${thrown}`],
    ["Printed", first.printed === "" ? undefined : first.printed.trimEnd()],
    ["Likely", first.likely],
    ["Look at", first.lookAt === undefined ? undefined : `${folder}${first.lookAt}`],
    ["Hint", `${hint}${which}`],
  ];
  return entries.flatMap(([label, text]) => (text === undefined ? [] : [{ label, text }]));
}

function faultsOf(faults: readonly PlacedFault[], lead: string): VerdictWords["faults"] {
  const [first] = faults;
  if (first === undefined) return undefined;
  const entries = [
    { label: "Where", text: `${first.file}:${first.line}, column ${first.column}` },
    { label: "Says", text: first.message },
  ];
  return { lead, entries, more: faults.length - 1 };
}

/** Tabs, carriage returns and other characters that nobody sees, as JavaScript writes them. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be shown.
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f]/g, (each) => JSON.stringify(each).slice(1, -1));
}
