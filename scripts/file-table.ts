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
  const lines = markdown.split("\n");
  const head = lines.findIndex((line) =>
    /^\|\s*File\s*\|\s*Change\s*\|(\s*Part\s*\|)?\s*Why\s*\|/i.test(line),
  );
  if (head < 0) return [];
  const hasParts = cellsOf(lines[head] ?? "").length === 4;
  const rows: FileRow[] = [];
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith("|")) break;
    rows.push(...rowsOf(line, hasParts));
  }
  return rows;
}

function rowsOf(line: string, hasParts: boolean): FileRow[] {
  const [files = "", word = "", ...rest] = cellsOf(line);
  const why = rest[hasParts ? 1 : 0] ?? "";
  const part = hasParts ? (rest[0] ?? "") : undefined;
  const change = changes.find((each) => each === word.toLowerCase());
  if (change === undefined) return [];
  return [...files.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => ({
    path: stagePath(name),
    change,
    part,
    why,
  }));
}

/** Splits at the bars, but not at one that is escaped. */
function cellsOf(line: string): string[] {
  const inner = line.trim().replace(/^\||\|$/g, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function stagePath(name: string): string {
  return name.startsWith("src/") || !name.endsWith(".ts") ? name : `src/${name}`;
}
