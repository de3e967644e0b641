// What will go wrong, and when: a list that the seed and the length decide alone, so that a run can be repeated.

import { Random } from "../../shared/fuzz/random.ts";
import { type CellName, cellNames } from "../load/tables.ts";

/** A fault of `shared/cells/faults.ts`, with its parameters. */
export type CellFault = { readonly fault: string; readonly [parameter: string]: unknown };

export type Disturbance =
  /** SIGKILL, and a new start at the end. */
  | { readonly kind: "cell-killed"; readonly cells: readonly CellName[] }
  | { readonly kind: `cell-${string}`; readonly cells: readonly CellName[]; readonly fault: CellFault }
  | { readonly kind: "control-plane-killed" }
  /** A table that the control plane must refuse. */
  | { readonly kind: "bad-push" }
  /** The control plane's own file, cut in half by hand, and put back at the end. */
  | { readonly kind: "bad-file" }
  /** The other one of two tables, which differ in everything that a request sees. */
  | { readonly kind: "table-push" };

export type Planned = Disturbance & { readonly atMs: number; readonly untilMs: number };

const cellFaults: readonly CellFault[] = [
  { fault: "killed" },
  { fault: "hang" },
  { fault: "slow", delayMs: 400 },
  { fault: "reset" },
  { fault: "error", status: 503, healthToo: false },
  { fault: "error", status: 502, healthToo: true, ratio: 0.5 },
  { fault: "drop-mid-body", afterBytes: 64, ratio: 0.5 },
  { fault: "flap", upMs: 300, downMs: 700 },
  { fault: "reset", healthToo: false, ratio: 0.3 },
];

const controlPlaneKinds = [
  "table-push",
  "bad-push",
  "table-push",
  "bad-file",
  "table-push",
  "control-plane-killed",
] as const;

/** From the beginning and to the end of a run, so that both show the stack in good order. */
export const quietMs = 3_000;

/** One list of disturbances of cells and one of the control plane, which do not wait for each other. */
export function planGameday(seed: number, lengthMs: number): Planned[] {
  const planned = [
    ...planCells(new Random(seed, 1), lengthMs),
    ...planControlPlane(new Random(seed, 2), lengthMs),
  ];
  return planned.sort((a, b) => a.atMs - b.atMs);
}

function planCells(random: Random, lengthMs: number): Planned[] {
  const planned: Planned[] = [];
  // Every kind once before any kind twice: a short run, too, shows as much as it can.
  let waiting: CellFault[] = [];
  for (let atMs = quietMs; ; ) {
    const untilMs = atMs + 1500 + random.below(3000);
    if (untilMs + quietMs > lengthMs) return planned;
    if (waiting.length === 0) waiting = shuffled(cellFaults, random);
    const fault = waiting.pop() ?? { fault: "none" };
    const cells = shuffled(cellNames, random).slice(0, random.chance(25) ? 2 : 1);
    planned.push(
      fault.fault === "killed"
        ? { kind: "cell-killed", cells, atMs, untilMs }
        : { kind: `cell-${fault.fault}`, cells, fault, atMs, untilMs },
    );
    atMs = untilMs + 1000 + random.below(3000);
  }
}

function planControlPlane(random: Random, lengthMs: number): Planned[] {
  const planned: Planned[] = [];
  let waiting: (typeof controlPlaneKinds)[number][] = [];
  for (let atMs = quietMs / 2; ; ) {
    if (waiting.length === 0) waiting = shuffled(controlPlaneKinds, random);
    const kind = waiting.pop() ?? "table-push";
    const lasts = kind === "control-plane-killed" || kind === "bad-file" ? 1000 + random.below(2000) : 0;
    const untilMs = atMs + lasts;
    if (untilMs + quietMs > lengthMs) return planned;
    planned.push({ kind, atMs, untilMs });
    atMs = untilMs + 1500 + random.below(2000);
  }
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const left = [...list];
  return Array.from(list, () => left.splice(random.below(left.length), 1)[0] as T);
}
