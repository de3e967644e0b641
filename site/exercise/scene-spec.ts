// What the scene of an exercise is: a simulation, and the values with which the starter fails for all to see. Where the tests are
// about several outages, each has its scenario, and the test that fails first decides which one plays.

import type { Recording, SimEvent, Values } from "../simulations/simulation.ts";
import { totals } from "../simulations/timeline.ts";

export const simulationFiles = {
  route: { entry: "site/simulations/route-lab.ts", exported: "routeLab" },
  fleet: { entry: "site/simulations/fleet-sim.ts", exported: "fleetSim" },
  stampede: { entry: "site/exercise/scenes/stampede.ts", exported: "stampede" },
  burst: { entry: "site/exercise/scenes/burst.ts", exported: "burst" },
  swap: { entry: "site/exercise/scenes/swap.ts", exported: "swap" },
  places: { entry: "site/exercise/scenes/places.ts", exported: "placesScene" },
  resilience: { entry: "site/simulations/resilience-sim.ts", exported: "resilienceSim" },
} as const;

export interface Scenario {
  /** What happens, in a few words. */
  readonly name: string;
  /** Ids of the tests whose failure it shows. The first scenario shows the failures of all others. */
  readonly tests: readonly string[];
  readonly values: Values;
  /** What to look at. */
  readonly words: string;
}

export interface SceneOf {
  readonly simulation: keyof typeof simulationFiles;
  /** The first is the outage of the story. With only one, every test of the exercise is about the same outage. */
  readonly scenarios: readonly [Scenario, ...Scenario[]];
  /** Fields of the simulation that say nothing here. */
  readonly hidden?: readonly string[];
  /** What tells one code from the other: of the state at the end, which is the simulation's own, or of the events. */
  readonly ending?: (state: EndState, events: readonly Pick<SimEvent<unknown>, "actor">[]) => string;
}

/** What plays first: the scenario of the test that fails first. */
export function scenarioFor({ scenarios }: SceneOf, failing: readonly string[]): Scenario {
  const [first] = failing;
  const found = scenarios.find(({ tests }) => first !== undefined && tests.includes(first));
  return found ?? scenarios[0];
}

/** As much of the simulations' states as an ending tells of. */
interface EndState {
  readonly falls?: number;
  readonly retries?: number;
  readonly lost?: number;
  readonly inVain?: number;
  readonly torn?: number;
  readonly cells?: readonly { readonly isInTable: boolean; readonly isOpen: boolean }[];
  readonly failovers?: Readonly<Record<string, number>>;
  readonly routers?: readonly { readonly epoch: string | undefined }[];
  readonly controlPlane?: { readonly epoch: string };
}

export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** How a recording of the scene ended, for all to compare: `381 served, 219 not; the cell fell over 0 times`. */
export function endingOf(
  scene: SceneOf,
  { trips, events }: Pick<Recording<unknown>, "trips" | "events">,
): string {
  const { good, bad } = totals(trips);
  const special = scene.ending?.((events.at(-1)?.state ?? {}) as EndState, events);
  return `${good} served, ${bad} not${special === undefined ? "" : `; ${special}`}`;
}
