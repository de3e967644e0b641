// The table of a port's README, made from site/data/ports.json: what holds and what is broken, by contract and mode.

import { type Grade, grades } from "../shared/contract/grades.ts";
import { alignedTable } from "./markdown.ts";
import type { PortedRun } from "./ported-contract.ts";

const begin = "<!-- results: npx tsx scripts/ported-results.ts -->";
const end = "<!-- /results -->";

/** The README with its table renewed. @throws Error where it has no place for one */
export function withResults(readme: string, port: string, runs: readonly PortedRun[]): string {
  const [before, rest] = readme.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`The README of ports/${port} has no place between "${begin}" and "${end}"`);
  return `${before}${begin}\n\n${resultsTable(runs.filter((run) => run.port === port))}\n\n${end}${after}`;
}

function resultsTable(runs: readonly PortedRun[]): string {
  const contracts = [...new Set(runs.map(({ contract }) => contract))];
  const rows = contracts.map((contract) => {
    const cell = (front: "on" | "off") => {
      const run = runs.find((each) => each.contract === contract && each.front === front);
      return run === undefined ? "–" : inWords(run.grades);
    };
    const first = runs.find((each) => each.contract === contract);
    return [contract, String(first === undefined ? 0 : countOf(first.grades)), cell("on"), cell("off")];
  });
  return alignedTable([["Suite", "Cases", "Missed with the front", "Missed in stock mode"], ...rows]);
}

function countOf(counts: PortedRun["grades"]): number {
  return grades.reduce((sum, grade) => sum + counts[grade].passed + counts[grade].failed, 0);
}

function inWords(counts: PortedRun["grades"]): string {
  const broken = (grade: Grade) => counts[grade].failed;
  const words = grades.filter((grade) => broken(grade) > 0).map((grade) => `${broken(grade)} ${grade}`);
  return words.join(", ") || "none";
}
