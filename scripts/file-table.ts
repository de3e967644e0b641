// The file table of a stage's README: one row a file, what happened to it since the last stage, and why.
//
//   | File | Change | Why |
//   |---|---|---|
//   | `admin.ts` | new | answers health and debug questions on a port of its own |
//   | `main.ts` | changed | wires the file source and the admin port |
//
// A path is relative to the stage's `src`, or to the stage for other files (`routing.json`). A row may name several
// files. `Change` is new, changed, same or removed. Where a stage is taught in parts, as m5 is, a column `Part` stands
// before `Why`, and says which part each file belongs to.

import { tablesOf } from "./markdown.ts";

/** The parts of m5, in the order in which they are taught. */
export const parts = ["parser", "sockets", "workers", "deltas", "trim"] as const;
export type Part = (typeof parts)[number];

export interface FileRow {
  /** Relative to the stage's folder: `src/admin.ts`. */
  readonly path: string;
  readonly change: "new" | "changed" | "same" | "removed";
  /** Undefined where the table has no such column; what the cell says where that is no part. */
  readonly part: string | undefined;
  readonly why: string;
}

const changes = ["new", "changed", "same", "removed"] as const;

/** Rows of the first table headed File, Change, Why, with or without Part; empty when there is none. Faulty rows are left out. */
export function readFileTable(markdown: string): FileRow[] {
  const [head = [], ...rows] = tablesOf(markdown).find(([first]) => isHead(first ?? [])) ?? [];
  return rows.flatMap(([files = "", word = "", ...rest]) => {
    const change = changes.find((each) => each === word.toLowerCase());
    if (change === undefined) return [];
    const [part, why = ""] = head.length === 4 ? rest : [undefined, ...rest];
    return [...files.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => ({
      path: stagePath(name),
      change,
      part,
      why,
    }));
  });
}

function isHead(cells: readonly string[]): boolean {
  return /^file change (part )?why$/i.test(cells.join(" "));
}

function stagePath(name: string): string {
  return name.startsWith("src/") || !name.endsWith(".ts") ? name : `src/${name}`;
}
