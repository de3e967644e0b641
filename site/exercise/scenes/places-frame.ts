// What the page knows of m4/06's scene before it runs: its parameters, and what it draws.

import { seedParameter } from "../../simulations/simulation.ts";
import type { OneCellState } from "./one-cell.ts";
import type { Frame } from "./swap-frame.ts";

export interface PlacesState extends Omit<OneCellState, "inVain"> {
  /** Permits that count as taken and that no request holds. */
  readonly lost: number;
}

export const places = 4;
/** Requests at once that the cell bears. */
export const bears = 8;
export const placesTenants = ["acme", "globex"];

export const placesFrame: Frame<PlacesState> = {
  name: "places",
  durationMs: 16_000,
  worlds: [{ name: "stage", label: () => "The stage's code", values: {} }],
  rows: ["success", "in flight"],
  parameters: [
    seedParameter,
    {
      kind: "choice",
      name: "trouble",
      label: "What happens",
      choices: [
        { value: "leave", label: "the cell is slow, and clients leave" },
        { value: "refuse", label: "the cell refuses connections" },
      ],
      value: "leave",
    },
  ],
  before: () => ({
    guard: { words: `0 of ${places} permits taken`, kind: "closed" },
    cell: { condition: "warm", inFlight: 0, most: bears },
    tenants: placesTenants.map((key) => ({ key, good: 0, failed: 0, refused: 0 })),
    falls: 0,
    lost: 0,
  }),
};
