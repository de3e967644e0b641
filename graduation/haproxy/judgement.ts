// Judges a contract's results by the named differences: each broken core case needs its cause, and each cause its case.

import { alignedTable } from "../../scripts/markdown.ts";
import { grades } from "../../shared/contract/grades.ts";
import { type ContractRun, type JudgedContract, withCauses } from "../contract-results.ts";
import type { Difference } from "./difference.ts";
import { differences } from "./differences.ts";

export function judged(run: ContractRun, named: readonly Difference[] = differences): JudgedContract {
  return withCauses(run, (title) => named.find((each) => each[casesOf(run)]?.includes(title) === true));
}

/** What is wrong between the results and the named differences, one line each; empty when they agree. */
export function faultsOf(run: JudgedContract, named: readonly Difference[] = differences): readonly string[] {
  const { contract, failures } = run;
  const unexplained = failures
    .filter(({ grade, cause }) => grade === "core" && cause === null)
    .map(({ title }) => `${contract}: no cause is named for "${title}"`);
  const broken = new Set(failures.map(({ title }) => title));
  const healed = named
    .flatMap((each) => (each.sometimes === true ? [] : (each[casesOf(run)] ?? [])))
    .filter((title) => !broken.has(title))
    .map((title) => `${contract}: a cause is named, and it holds: "${title}"`);
  return [...unexplained, ...healed];
}

function casesOf({ contract }: { readonly contract: string }): "m1" | "m4" {
  return contract === "m1" ? "m1" : "m4";
}

const begin = "<!-- results: npx tsx graduation/haproxy/contract-results.ts -->";
const end = "<!-- /results -->";

/** The README with its results renewed. @throws Error where it has no place for them */
export function withResults(readme: string, runs: readonly JudgedContract[], date: string): string {
  const [before, rest] = readme.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`The README has no place between "${begin}" and "${end}"`);
  const table = alignedTable([["Suite", ...grades], ...runs.map(countsRow)]);
  const causes = alignedTable([["Cause", "m1", "m4", "What HAProxy does"], ...causeRows(runs)]);
  const words = `Held, of all cases, on ${date}. A core case that breaks in its form alone counts as form:`;
  const words2 = "Every broken core case has one of these causes:";
  return `${before}${begin}\n\n${words}\n\n${table}\n\n${words2}\n\n${causes}\n\n${end}${after}`;
}

function countsRow({ contract, grades: counts }: JudgedContract): readonly string[] {
  return [contract, ...grades.map((grade) => heldOf(counts[grade]))];
}

function heldOf({ passed, failed }: { readonly passed: number; readonly failed: number }): string {
  return `${passed} of ${passed + failed}`;
}

function causeRows(runs: readonly JudgedContract[]): readonly (readonly string[])[] {
  const count = (contract: string, name: string) => {
    const failures = runs.find((run) => run.contract === contract)?.failures ?? [];
    return String(failures.filter(({ grade, cause }) => grade === "core" && cause === name).length);
  };
  return differences.map(({ name, words }) => [name, count("m1", name), count("m4", name), words]);
}
