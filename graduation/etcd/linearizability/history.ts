// What several clients did to one routing table at the same time: each operation with its start, its end and its outcome.
// The times come from one clock; `linearize.ts` decides whether one table could have answered like this.

/** A table's entity tag, such as `"5382288501236852262.17"`: epoch and revision. */
export type Version = string;

interface Timed {
  readonly client: string;
  /** The control plane that was asked. */
  readonly via: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Read extends Timed {
  readonly kind: "get";
  readonly version: Version;
  /** As `tableValue` makes it. */
  readonly value: string;
}

/** Writes nothing that was written before: every write has a marker of its own. */
export interface Write extends Timed {
  /** A PUT replaces the whole table, a PATCH adds one key to it. */
  readonly kind: "put" | "patch";
  /** The routing key that this write, and no other one, puts into the table. */
  readonly marker: string;
  readonly ifMatch: Version;
  readonly outcome: Outcome;
  /** What the response said, for people. */
  readonly why?: string;
}

export type Outcome =
  | { readonly kind: "stored"; readonly version: Version }
  /** 412: the table had another version. */
  | { readonly kind: "conflict" }
  /** The control plane promises that nothing has changed. */
  | { readonly kind: "refused" }
  /** No response, or one that says so: it may have happened, may happen later, or never. */
  | { readonly kind: "unknown" };

export type Operation = Read | Write;

export interface History {
  /** The table before the first operation. */
  readonly initial: { readonly version: Version; readonly value: string };
  readonly operations: readonly Operation[];
}

/** All markers of a table, in one order. */
export function tableValue(markers: Iterable<string>): string {
  return [...markers].sort().join(" ");
}

/** The value after a write. */
export function valueAfter(value: string, { kind, marker }: Pick<Write, "kind" | "marker">): string {
  return kind === "put" || value === "" ? marker : tableValue([...value.split(" "), marker]);
}

/** Revisions grow within an epoch. Of two epochs, none is the newer one. */
export function isNewer(version: Version, than: Version): boolean {
  const [epoch, revision] = partsOf(version);
  const [otherEpoch, otherRevision] = partsOf(than);
  return epoch !== otherEpoch || revision > otherRevision;
}

function partsOf(version: Version): readonly [epoch: string, revision: number] {
  const [, epoch = "", revision = ""] = /^"?(.*)\.(\d+)"?$/.exec(version) ?? [];
  return [epoch, Number(revision)];
}

/** One operation in words, for a verdict. */
export function describe(operation: Operation): string {
  const { client, via, startMs, endMs } = operation;
  const when = `${client} via ${via}, ${startMs.toFixed(1)}–${endMs.toFixed(1)} ms`;
  if (operation.kind === "get") return `GET saw ${operation.version} (${when})`;
  const { kind, marker, ifMatch, outcome } = operation;
  const what = outcome.kind === "stored" ? `stored as ${outcome.version}` : outcome.kind;
  return `${kind.toUpperCase()} ${marker} If-Match ${ifMatch}: ${what} (${when})`;
}
