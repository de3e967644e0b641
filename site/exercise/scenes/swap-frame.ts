// What the page knows of m2/02's scene before it runs: its parameters, and what it draws.

import { type Simulation, seedParameter } from "../../simulations/simulation.ts";

export interface SwapState {
  /** Version of the table in use. */
  readonly version: string;
  readonly tenants: readonly { readonly key: string; readonly good: number; readonly torn: number }[];
  readonly cells: readonly {
    readonly name: string;
    readonly isInTable: boolean;
    /** Whether the router still holds connections to it. */
    readonly isOpen: boolean;
  }[];
  /** The latest line of the log that cannot be true. */
  readonly impossible: string | undefined;
  readonly torn: number;
}

/** A scene whose code awaits. It runs in the worker only, so the page needs no more than this of it. */
export type Frame<State> = Omit<Simulation<State>, "run">;

export const swapTenants = ["acme", "globex"];
export const swapCells = ["tier1", "tier2", "tier3"];

export const swapFrame: Frame<SwapState> = {
  name: "swap",
  durationMs: 14_000,
  worlds: [{ name: "stage", label: () => "The stage's code", values: {} }],
  rows: ["success", "in flight"],
  parameters: [
    seedParameter,
    {
      kind: "number",
      name: "slowest",
      label: "Slowest response",
      unit: "ms",
      min: 100,
      max: 3_000,
      step: 100,
      value: 1_200,
    },
  ],
  before: () => ({
    version: "1",
    tenants: swapTenants.map((key) => ({ key, good: 0, torn: 0 })),
    cells: swapCells.map((name) => ({ name, isInTable: name !== "tier2", isOpen: false })),
    impossible: undefined,
    torn: 0,
  }),
};
