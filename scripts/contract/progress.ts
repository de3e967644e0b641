// Whoever ports the router turns the groups of a contract green one by one. What each run found is kept, so that the command
// can say which groups hold and which one is next. A group is a theme of the suite: the first part of a case's title.

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { readSmallFile } from "../bounded-file.ts";
import { projectRoot } from "../stages.ts";
import type { CaseResult } from "./report.ts";

export interface Group {
  readonly name: string;
  readonly cases: number;
  /** Cases that held in the last run in which this group took part, and those that were broken. */
  readonly passed: number;
  readonly failed: number;
}

/** By contract and program. */
type ProgressFile = Readonly<Record<string, readonly Group[]>>;

const maxBytes = 1_048_576;

export function progressFile(root = projectRoot): string {
  return join(root, ".state", "contract-progress.json");
}

/** The groups of a suite in its order, with what this run found, or else what an earlier one did. */
export function mergedGroups(cases: readonly CaseResult[], before: readonly Group[]): readonly Group[] {
  const groups = new Map<string, { cases: number; passed: number; failed: number }>();
  for (const { title, state } of cases) {
    const name = title.split(" > ")[0] ?? title;
    const group = groups.get(name) ?? { cases: 0, passed: 0, failed: 0 };
    group.cases += 1;
    if (state !== "skipped") group[state] += 1;
    groups.set(name, group);
  }
  return [...groups].map(([name, group]) => {
    const hasRun = group.passed + group.failed > 0;
    const last = before.find((each) => each.name === name && each.cases === group.cases);
    return hasRun || last === undefined ? { name, ...group } : last;
  });
}

export function readProgress(key: string, file = progressFile()): readonly Group[] {
  try {
    return (JSON.parse(readSmallFile(file, maxBytes).text) as ProgressFile)[key] ?? [];
  } catch {
    // The first run, or a file that somebody has spoiled: nothing is lost that the next run does not find again.
    return [];
  }
}

export async function keepProgress(
  key: string,
  groups: readonly Group[],
  file = progressFile(),
): Promise<void> {
  let all: ProgressFile = {};
  try {
    all = JSON.parse(readSmallFile(file, maxBytes).text) as ProgressFile;
  } catch {}
  mkdirSync(dirname(file), { recursive: true });
  await writeFileAtomic(file, `${JSON.stringify({ ...all, [key]: groups }, null, 2)}\n`);
}

/** One line a group, and which one to turn green next. */
export function progressLines(groups: readonly Group[]): string[] {
  const isGreen = ({ cases, passed }: Group) => passed === cases;
  const next = groups.find((group) => !isGreen(group));
  const width = Math.max(...groups.map(({ name }) => name.length));
  const lines = groups.map((group) => {
    const mark = isGreen(group) ? "ok  " : group === next ? "next" : "    ";
    return `  ${mark}  ${group.name.padEnd(width)}  ${group.passed} of ${group.cases}`;
  });
  const green = groups.filter(isGreen).length;
  const more = next === undefined ? "" : `; next: --only "${next.name}"`;
  return [...lines, `${green} of ${groups.length} groups hold in full${more}`];
}
