// Decides whether a history could have come from one table: whether some order of the operations explains every outcome.
// The search of Wing and Gong, with Lowe's memory of what was tried.
//
// @see https://doi.org/10.1006/jpdc.1993.1015 Wing, Gong: Testing and verifying concurrent objects
// @see https://doi.org/10.1002/cpe.3928 Lowe: Testing for linearizability

import { describe, type History, type Operation } from "./history.ts";
import { apply, changesNothing, isOptional, type RegisterState } from "./register.ts";

/**
 * What a read promises. `linearizable`: the table as it was at some moment between the read's start and its end.
 * `per-control-plane`: the table as it was at some moment before the end, and never an older one than the same control
 * plane has shown, or stored, before the read began. Writes are linearizable in both.
 */
export type ReadPromise = "linearizable" | "per-control-plane";

export type Verdict =
  | { readonly ok: true; readonly order: readonly Operation[] }
  /** `words`: how far the best order came, and what it cannot explain. */
  | { readonly ok: false; readonly words: string };

/** A place in the search: what has happened, in which order, and what the table holds now. */
interface Place {
  readonly state: RegisterState;
  readonly done: Uint32Array;
  readonly count: number;
  readonly before: Place | undefined;
  readonly operation: Operation | undefined;
}

export function linearize({ initial, operations: all }: History, reads: ReadPromise): Verdict {
  // A refused write tells nothing about the table: it may never have reached a control plane.
  const operations = all.filter((each) => each.kind === "get" || each.outcome.kind !== "refused");
  const search = new Search(operations, reads);
  const first: Place = {
    state: { ...initial, isNamed: true },
    done: new Uint32Array(Math.ceil(operations.length / 32)),
    count: 0,
    before: undefined,
    operation: undefined,
  };
  const tried = new Set<string>();
  const stack = [first];
  let best = first;
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    const settled = search.settle(place);
    if (settled.count > best.count) best = settled;
    if (search.isComplete(settled)) return { ok: true, order: orderOf(settled) };
    const key = `${settled.state.version} ${settled.state.isNamed} ${settled.state.value} ${settled.done.join()}`;
    if (tried.has(key)) continue;
    tried.add(key);
    stack.push(...search.nextPlaces(settled));
  }
  return { ok: false, words: search.explain(best) };
}

class Search {
  readonly #reads: ReadPromise;
  readonly #all: readonly Operation[];
  /** Indices into `#all` by control plane, ordered by start. */
  readonly #lanes: readonly (readonly number[])[];

  constructor(all: readonly Operation[], reads: ReadPromise) {
    this.#all = all;
    this.#reads = reads;
    const lanes = Map.groupBy(all.keys(), (index) => all[index]?.via);
    const startOf = (index: number): number => all[index]?.startMs ?? 0;
    this.#lanes = [...lanes.values()].map((lane) => lane.toSorted((a, b) => startOf(a) - startOf(b)));
  }

  isComplete({ done }: Place): boolean {
    return this.#all.every((operation, index) => isDone(done, index) || isOptional(operation));
  }

  /**
   * Takes every operation that can come next and changes nothing: to take it at once never rules anything out. Conflicts go
   * first: a read can name the version, and nobody is refused for that version afterwards.
   */
  settle(place: Place): Place {
    let settled = place;
    for (;;) {
      const next = this.#possible(settled).filter(({ operation }) => changesNothing(operation));
      const before = settled.count;
      for (const isRead of [false, true]) {
        if (settled.count > before) break;
        for (const { operation, index } of next)
          if ((operation.kind === "get") === isRead) settled = step(settled, operation, index) ?? settled;
      }
      if (settled.count === before) return settled;
    }
  }

  /** One place for each operation that may have been the next to change the table. */
  nextPlaces(place: Place): Place[] {
    const next = this.#possible(place).filter(({ operation }) => !changesNothing(operation));
    return next.flatMap(({ operation, index }) => step(place, operation, index) ?? []);
  }

  explain(best: Place): string {
    const { state, count } = best;
    const version = state.isNamed ? state.version : `one after ${state.version} that nobody was told`;
    const open = this.#possible(best).filter(({ operation }) => !isOptional(operation));
    return [
      `No order explains more than ${count} of ${this.#all.length} operations. The table would have version ${version} then, which does not explain:`,
      ...open.map(({ operation }) => `  ${describe(operation)}${difference(operation, state.value)}`),
    ].join("\n");
  }

  /**
   * Operations that can come next: nothing that has to come before them is missing. Before a write, that is all that had
   * ended when it began; before a read, only what went through the same control plane, unless reads are linearizable.
   */
  #possible({ done }: Place): { readonly operation: Operation; readonly index: number }[] {
    const windows = this.#lanes.map((lane) => this.#window(lane, done));
    const firstEndMs = Math.min(...windows.map((window) => window.firstEndMs));
    return windows.flatMap((window) =>
      window.operations.filter(
        ({ operation }) =>
          operation.startMs <= firstEndMs ||
          (operation.kind === "get" && this.#reads === "per-control-plane"),
      ),
    );
  }

  /** What could come next if this lane were alone, and when the first of it ended. */
  #window(lane: readonly number[], done: Uint32Array) {
    const operations: { readonly operation: Operation; readonly index: number }[] = [];
    let firstEndMs = Number.POSITIVE_INFINITY;
    for (const index of lane) {
      const operation = this.#all[index];
      if (operation === undefined || isDone(done, index)) continue;
      // The lane is ordered by start: nobody after this one can come next either.
      if (operation.startMs > firstEndMs) break;
      operations.push({ operation, index });
      // Nothing has to wait for an operation that may never have happened.
      if (!isOptional(operation)) firstEndMs = Math.min(firstEndMs, operation.endMs);
    }
    return { operations, firstEndMs };
  }
}

function step(place: Place, operation: Operation, index: number): Place | undefined {
  const state = apply(place.state, operation);
  if (state === undefined) return undefined;
  const done = place.done.slice();
  done[index >>> 5] = (done[index >>> 5] ?? 0) | (1 << (index & 31));
  return { state, done, count: place.count + 1, before: place, operation };
}

/** What a read saw of another table than the one that would have been there. */
function difference(operation: Operation, value: string): string {
  if (operation.kind !== "get" || operation.value === value) return "";
  const [seen, there] = [operation.value.split(" "), value.split(" ")];
  const missing = there.filter((key) => key !== "" && !seen.includes(key));
  const unexpected = seen.filter((key) => key !== "" && !there.includes(key));
  const parts = [
    ["without", missing],
    ["with", unexpected],
  ] as const;
  return parts
    .map(([word, keys]) => (keys.length === 0 ? "" : `, ${word} ${keys.slice(0, 8).join(" ")}`))
    .join("");
}

function isDone(done: Uint32Array, index: number): boolean {
  return (((done[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1;
}

function orderOf(last: Place): Operation[] {
  const order: Operation[] = [];
  for (let place: Place | undefined = last; place !== undefined; place = place.before) {
    if (place.operation !== undefined) order.push(place.operation);
  }
  return order.reverse();
}
