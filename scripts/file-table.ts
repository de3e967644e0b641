// The file table of a stage's README: one row a file, what happened to it since the last stage, and why.
//
//   | File | Change | Why |
//   |---|---|---|
//   | `admin.ts` | new | answers health and debug questions on a port of its own |
//   | `main.ts` | changed | wires the file source and the admin port |
//
// A path is relative to the stage's `src`, or to the stage for other files (`routing.json`). A row may name several
// files. `Change` is new, changed, same or removed.

export interface FileRow {
  /** Relative to the stage's folder: `src/admin.ts`. */
  readonly path: string;
  readonly change: "new" | "changed" | "same" | "removed";
  readonly why: string;
}

const changes = ["new", "changed", "same", "removed"] as const;

/** Rows of the first table headed File, Change, Why; empty when there is none. Faulty rows are left out. */
export function readFileTable(markdown: string): FileRow[] {
  const lines = markdown.split("\n");
  const head = lines.findIndex((line) => /^\|\s*File\s*\|\s*Change\s*\|\s*Why\s*\|/i.test(line));
  if (head < 0) return [];
  const rows: FileRow[] = [];
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith("|")) break;
    rows.push(...rowsOf(line));
  }
  return rows;
}

function rowsOf(line: string): FileRow[] {
  const [files = "", word = "", why = ""] = cellsOf(line);
  const change = changes.find((each) => each === word.toLowerCase());
  if (change === undefined) return [];
  return [...files.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => ({ path: stagePath(name), change, why }));
}

/** Splits at the bars, but not at one that is escaped. */
function cellsOf(line: string): string[] {
  const inner = line.trim().replace(/^\||\|$/g, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function stagePath(name: string): string {
  return name.startsWith("src/") || !name.endsWith(".ts") ? name : `src/${name}`;
}
