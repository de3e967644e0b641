// Proves that a check's `likely` describes the run: it must look at what came back.
//  - A plain sentence is shown whatever came back. It may stay only below a comment that vouches for it.
//  - A function must look at what came back. So the solution's tests run with a `check` that asks each one, and watches.
// What it says of wrong values, no program can judge.

import { readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { ModuleResult, TestResult } from "../../exercises/support/result-reporter.ts";
import { error, type Finding } from "../check.ts";
import { typeScriptFiles } from "./answer-source.ts";
import type { Assembly } from "./assemble.ts";
import type { Exercise } from "./exercise-spec.ts";

/** What an author writes above a plain sentence that fits each way in which its check can fail. */
const voucher = /^\s*\/\/ True of every failure\b/;

const faultWords = "likely does not look at what came back: ";

/** Every `likely` that is a plain sentence, and for which nobody vouches. */
export function plainLikelyFindings(exercise: Exercise): Finding[] {
  const folder = join(exercise.folder, "test");
  return typeScriptFiles(folder).flatMap((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    const lines = text.split("\n");
    const where = `exercises/${exercise.spec.id}/test/${name}`;
    return [...text.matchAll(/\blikely:\s*["'`]/g)].flatMap(({ index }) => {
      const line = text.slice(0, index).split("\n").length;
      if (voucher.test(lines[line - 2] ?? "")) return [];
      return [
        error(
          where,
          `line ${line}: likely is the same sentence whatever came back; make it a function, leave it out, or vouch for it: // True of every failure`,
        ),
      ];
    });
  });
}

/** Lets the assembled tests of a solution ask each `likely`, and see whether it looks. */
export function listenToLikely({ exercise, folder }: Assembly): void {
  const tests = join(folder, "test");
  const support = relative(tests, join(exercise.root, "exercises", "support", "check.ts"));
  writeFileSync(join(tests, "listening-check.ts"), listeningCheck(support.split(sep).join("/")));
  for (const name of typeScriptFiles(tests).filter((each) => each.endsWith(".test.ts"))) {
    const file = join(tests, name);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/"[^"\n]*\/support\/check\.ts"/, '"./listening-check.ts"'));
  }
}

function listeningCheck(support: string): string {
  return `import { type Check, check as plainCheck } from "${support}";
export * from "${support}";

export async function check<T>(wanted: Check<T>): Promise<void> {
  await plainCheck<T>(wanted);
  if (typeof wanted.likely !== "function") return;
  let looked = false;
  const look = <V>(value: V): V => {
    looked = true;
    return value;
  };
  const outcome = { get kind() { return look("returned"); }, get value() { return look(undefined); } };
  const said = likelySafely(() => wanted.likely(outcome));
  if (!looked) throw new Error("${faultWords}" + said);
}

function likelySafely(say) {
  try {
    return say();
  } catch (error) {
    return String(error);
  }
}
`;
}

/** Whether a solution's test failed for its `likely` only. */
export function isLikelyFault(test: TestResult | undefined): boolean {
  return test?.errors[0]?.message.startsWith(faultWords) === true;
}

/** What was said without a look. */
export function likelyFindings({ answer, exercise }: Assembly, modules: readonly ModuleResult[]): Finding[] {
  if (answer.kind !== "solution") return [];
  return modules
    .flatMap((module) => module.tests)
    .filter(isLikelyFault)
    .map(({ title, errors }) => error(`exercises/${exercise.spec.id}`, `"${title}": ${errors[0]?.message}`));
}
