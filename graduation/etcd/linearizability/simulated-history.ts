// Histories that are right by construction: a real table that clients change at known moments, and the memories of two
// control planes that are behind it. For tests of the checker.

import fc from "fast-check";
import { type History, type Operation, valueAfter, type Write } from "./history.ts";
import type { ReadPromise } from "./linearize.ts";

interface Step {
  readonly client: number;
  readonly via: number;
  readonly kind: "get" | "put" | "patch";
  /** Before the start, and how long it takes. */
  readonly gapMs: number;
  readonly durationMs: number;
  /** When it happens within its duration, from 0 to 1. */
  readonly momentRatio: number;
  /** How a write ends for its client, unless it is a conflict. */
  readonly ends: "told" | "unknown" | "unknown-late" | "lost";
  /** How far behind a read is, from 0 (not at all) to 1. */
  readonly lagRatio: number;
}

const ratio = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);

const step: fc.Arbitrary<Step> = fc.record({
  client: fc.integer({ min: 0, max: 3 }),
  via: fc.integer({ min: 0, max: 1 }),
  kind: fc.constantFrom("get", "put", "patch"),
  gapMs: fc.integer({ min: 0, max: 5 }),
  durationMs: fc.integer({ min: 1, max: 20 }),
  momentRatio: ratio,
  ends: fc.constantFrom("told", "told", "told", "unknown", "unknown-late", "lost"),
  lagRatio: ratio,
});

/** Right histories, whose reads keep `reads` and no more. */
export function histories(
  reads: ReadPromise,
  maxOperations: number,
  minOperations = 0,
): fc.Arbitrary<History> {
  const length = { maxLength: maxOperations, minLength: minOperations };
  return fc.array(step, length).map((steps) => simulate(steps, reads));
}

const initial = { version: '"e.1"', value: "" };

function simulate(steps: readonly Step[], reads: ReadPromise): History {
  const table = new Table();
  const known = new Map<number, string>();
  const memories = new Map<number, number>();
  const operations = timed(steps).map(({ momentMs: _, step: { lagRatio, ...step }, ...times }, index) => {
    const base = { client: `c${step.client}`, via: "ab"[step.via] ?? "", ...times };
    if (step.kind === "get") {
      const oldest = memories.get(step.via) ?? 0;
      const lag = reads === "linearizable" ? 0 : Math.floor(lagRatio * (table.newest - oldest));
      const seen = table.at(table.newest - lag);
      memories.set(step.via, table.newest - lag);
      known.set(step.client, seen.version);
      return { ...base, kind: "get", ...seen } satisfies Operation;
    }
    const ifMatch = known.get(step.client) ?? initial.version;
    const marker = `k${index}`;
    const write = { ...base, kind: step.kind, marker, ifMatch } as const;
    if (step.ends === "lost") return { ...write, outcome: { kind: "unknown" } } satisfies Write;
    const stored = table.write(write);
    if (step.ends !== "told") return { ...write, outcome: { kind: "unknown" } } satisfies Write;
    memories.set(step.via, table.newest);
    if (stored === undefined) return { ...write, outcome: { kind: "conflict" } } satisfies Write;
    known.set(step.client, stored);
    return { ...write, outcome: { kind: "stored", version: stored } } satisfies Write;
  });
  return { initial, operations };
}

class Table {
  readonly #states: { readonly version: string; readonly value: string }[] = [initial];

  get newest(): number {
    return this.#states.length - 1;
  }

  at(index: number): { readonly version: string; readonly value: string } {
    return this.#states[index] ?? initial;
  }

  /** The new version; undefined for a conflict. */
  write(write: Pick<Write, "kind" | "marker" | "ifMatch">): string | undefined {
    const { version, value } = this.at(this.newest);
    if (write.ifMatch !== version) return undefined;
    // As in etcd, revisions have gaps.
    const next = `"e.${this.newest * 2 + 3}"`;
    this.#states.push({ version: next, value: valueAfter(value, write) });
    return next;
  }
}

/** Each client does one thing after the other. Ordered by the moment at which each happens. */
function timed(steps: readonly Step[]) {
  const free = new Map<number, number>();
  const placed = steps.map((step) => {
    const startMs = (free.get(step.client) ?? 0) + step.gapMs;
    const endMs = startMs + step.durationMs;
    free.set(step.client, endMs);
    const lateMs = step.ends === "unknown-late" && step.kind !== "get" ? 30 : 0;
    // Strictly between: what one operation ends with, another one that starts at that moment may not know.
    const momentMs = startMs + 0.01 + step.momentRatio * (step.durationMs - 0.02) + lateMs;
    return { step, startMs, endMs, momentMs };
  });
  return placed.sort((a, b) => a.momentMs - b.momentMs);
}
