// What changed from one stage to a later one, and why: the files, the counted lines, and the reasons that the
// stages' READMEs give in their file tables. Used by `npm run diff`, `npm run verify` and the site.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch, structuredPatch } from "diff";
import { type FileRow, readFileTable } from "./file-table.ts";
import { filesUnder, type Milestone, milestones, projectRoot, stageFolder } from "./stages.ts";

export type FileStatus = "new" | "changed" | "same" | "removed";

export interface FileDiff {
  /** Relative to the stage's folder: `src/proxy.ts`, `routing.json`. */
  readonly path: string;
  readonly status: FileStatus;
  readonly added: number;
  readonly removed: number;
  /** What each stage on the way says of the file, oldest first; empty where no table names it. */
  readonly reasons: readonly Reason[];
  /** The part of the later stage that it belongs to, where that stage is taught in parts. */
  readonly part: string | undefined;
  /** Unified diff with three lines around each change; empty for a file that is the same. */
  readonly patch: string;
}

export interface Reason {
  readonly stage: Milestone;
  readonly why: string;
}

export interface StageDiff {
  readonly from: Milestone;
  readonly to: Milestone;
  readonly files: readonly FileDiff[];
  readonly added: number;
  readonly removed: number;
  /** Lines of the older stage, all files together: what the budget is a share of. */
  readonly linesBefore: number;
}

/** Compares two stages: every file but tests and the README, which tell of the stage and are not part of it. */
export function diffStages(from: Milestone, to: Milestone, root = projectRoot): StageDiff {
  const before = readStage(stageFolder(from, root));
  const after = readStage(stageFolder(to, root));
  const tables = tablesBetween(from, to, root);
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort(byFolderThenName);
  const files = paths.map((path) => ({
    ...diffFile(path, before.get(path), after.get(path), from, to),
    reasons: reasonsFor(path, tables),
    part: partOf(path, tables),
  }));
  return {
    from,
    to,
    files,
    added: sum(files.map((file) => file.added)),
    removed: sum(files.map((file) => file.removed)),
    linesBefore: sum([...before.values()].map(lineCount)),
  };
}

/** Share of the older stage's lines that may go: a stage adds to the last one, it does not rewrite it. */
export const removedShareAllowed = 0.1;

/** How the diff stands to its budget. m5 is the rewrite and has none. */
export function diffBudget(diff: StageDiff): { removedShare: number; isWithin: boolean } {
  const removedShare = diff.linesBefore === 0 ? 0 : diff.removed / diff.linesBefore;
  return { removedShare, isWithin: diff.to === "m5" || removedShare <= removedShareAllowed };
}

function readStage(folder: string): Map<string, string> {
  // What a run leaves, such as tokens and locks, has a name that begins with a dot.
  const isPart = (path: string) =>
    !path.startsWith("test/") && path !== "README.md" && !/(^|\/)\./.test(path);
  const paths = filesUnder(folder).filter(isPart);
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

function diffFile(
  path: string,
  before: string | undefined,
  after: string | undefined,
  from: Milestone,
  to: Milestone,
): Omit<FileDiff, "reasons" | "part"> {
  if (before === after) return { path, status: "same", added: 0, removed: 0, patch: "" };
  const status = before === undefined ? "new" : after === undefined ? "removed" : "changed";
  const { hunks } = structuredPatch(path, path, before ?? "", after ?? "", "", "", { context: 0 });
  const lines = hunks.flatMap((hunk) => hunk.lines);
  const patch = createTwoFilesPatch(
    before === undefined ? "/dev/null" : `${from}/${path}`,
    after === undefined ? "/dev/null" : `${to}/${path}`,
    before ?? "",
    after ?? "",
  );
  return {
    path,
    status,
    added: lines.filter((line) => line.startsWith("+")).length,
    removed: lines.filter((line) => line.startsWith("-")).length,
    // The first line is a ruler that `diff -u` does not print.
    patch: patch.replace(/^=+\n/, ""),
  };
}

function tablesBetween(from: Milestone, to: Milestone, root: string): [Milestone, readonly FileRow[]][] {
  const between = milestones.slice(milestones.indexOf(from) + 1, milestones.indexOf(to) + 1);
  return between.flatMap((stage) => {
    const readme = join(stageFolder(stage, root), "README.md");
    return existsSync(readme) ? [[stage, readFileTable(readFileSync(readme, "utf8"))]] : [];
  });
}

function reasonsFor(path: string, tables: readonly [Milestone, readonly FileRow[]][]): Reason[] {
  return tables.flatMap(([stage, rows]) =>
    rows.filter((row) => row.path === path && row.change !== "same").map((row) => ({ stage, why: row.why })),
  );
}

/** What the last of the tables says: an earlier stage's parts are not this one's. */
function partOf(path: string, tables: readonly [Milestone, readonly FileRow[]][]): string | undefined {
  return tables.at(-1)?.[1].find((row) => row.path === path)?.part;
}

/** Files of `src` first, its folders after its files, as the README's table tells them. */
function byFolderThenName(a: string, b: string): number {
  const rank = (path: string) => (path.startsWith("src/") ? path.split("/").length : 0);
  return (rank(a) || 99) - (rank(b) || 99) || (a < b ? -1 : 1);
}

function lineCount(text: string): number {
  return text === "" ? 0 : text.replace(/\n$/, "").split("\n").length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
