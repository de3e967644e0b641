// The file table of a stage's README: one row a file, what happened to it since the last stage, and why.
//
//   | File | Change | Why |
//   |---|---|---|
//   | `admin.ts` | new | answers health and debug questions on a port of its own |
//   | `main.ts` | changed | wires the file source and the admin port |
//
// A path is relative to the stage's `src`, or to the stage for other files (`routing.json`). A row may name several
// files. `Change` is new, changed, same or removed.

import { tablesOf } from "./markdown.ts";

export interface FileRow {
  /** Relative to the stage's folder: `src/admin.ts`. */
  readonly path: string;
  readonly change: "new" | "changed" | "same" | "removed";
  readonly why: string;
}

const changes = ["new", "changed", "same", "removed"] as const;

/** Rows of the first table headed File, Change, Why; empty when there is none. Faulty rows are left out. */
export function readFileTable(markdown: string): FileRow[] {
  const isWanted = ([head]: readonly string[][]) => /^file change why$/i.test(head?.join(" ") ?? "");
  const [, ...rows] = tablesOf(markdown).find(isWanted) ?? [];
  return rows.flatMap(([files = "", word = "", why = ""]) => {
    const change = changes.find((each) => each === word.toLowerCase());
    if (change === undefined) return [];
    return [...files.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => ({ path: stagePath(name), change, why }));
  });
}

function stagePath(name: string): string {
  return name.startsWith("src/") || !name.endsWith(".ts") ? name : `src/${name}`;
}
