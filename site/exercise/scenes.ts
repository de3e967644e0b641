// Which simulation shows the outage of an exercise, and with which values: those in which the starter fails for all to see.

import type { Recording, SimEvent, Values } from "../simulations/simulation.ts";
import { totals } from "../simulations/timeline.ts";

export const simulationFiles = {
  route: { entry: "site/simulations/route-lab.ts", exported: "routeLab" },
  fleet: { entry: "site/simulations/fleet-sim.ts", exported: "fleetSim" },
  stampede: { entry: "site/exercise/scenes/stampede.ts", exported: "stampede" },
  burst: { entry: "site/exercise/scenes/burst.ts", exported: "burst" },
  resilience: { entry: "site/simulations/resilience-sim.ts", exported: "resilienceSim" },
} as const;

export interface SceneOf {
  readonly simulation: keyof typeof simulationFiles;
  readonly values: Values;
  /** Fields of the simulation that say nothing here. */
  readonly hidden?: readonly string[];
  /** What to look at. */
  readonly words: string;
  /** What tells one code from the other: of the state at the end, which is the simulation's own, or of the events. */
  readonly ending?: (state: EndState, events: readonly Pick<SimEvent<unknown>, "actor">[]) => string;
}

/** As much of the simulations' states as an ending tells of. */
interface EndState {
  readonly falls?: number;
  readonly retries?: number;
  readonly failovers?: Readonly<Record<string, number>>;
  readonly routers?: readonly { readonly epoch: string | undefined }[];
  readonly controlPlane?: { readonly epoch: string };
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

const scenes: Readonly<Record<string, SceneOf>> = {
  "m1/01-route-lookup": {
    simulation: "route",
    values: { shared: false, faults: "" },
    words: "One of the tenants is called constructor. Watch where its requests go.",
  },
  "m3/02-epoch-revision": {
    simulation: "fleet",
    values: { isRival: false, store: "backup" },
    hidden: ["rival", "damage", "store"],
    words:
      "The control plane comes back from an old backup and begins a new epoch. Watch which routers follow it.",
    ending: ({ routers = [], controlPlane }) => {
      const follow = routers.filter(({ epoch }) => epoch === controlPlane?.epoch).length;
      return `${follow} of ${routers.length} routers follow the control plane's epoch`;
    },
  },
  "m3/03-full-jitter": {
    simulation: "fleet",
    values: { isRival: false },
    hidden: ["rival", "damage", "store"],
    ending: ({ falls = 0 }) => `the control plane was knocked over ${counted(falls, "time", "times")}`,
    words:
      "The control plane is down for six seconds and takes only a few handshakes at once. Watch how the routers come back.",
  },
  "m4/01-token-bucket": {
    simulation: "burst",
    values: {},
    ending: ({ falls = 0 }) => `the cell fell over ${counted(falls, "time", "times")}`,
    words:
      "acme's batch job may send 10 requests per second and sends them around the full second. globex shares the cell.",
  },
  "m4/02-circuit-breaker": {
    simulation: "resilience",
    values: { health: false, failover: true, retries: false, bulkhead: false, limit: false },
    words: "tier1 accepts requests and never responds. Watch how many requests still go there.",
  },
  "m4/03-half-open": {
    simulation: "stampede",
    values: {},
    ending: ({ falls = 0 }) => `the cell fell over ${counted(falls, "time", "times")}`,
    words:
      "The cell crashes, comes back with cold caches, and bears six requests at once until it has served three. Watch what half-open lets through.",
  },
  "m4/04-health-rise-fall": {
    simulation: "resilience",
    values: {
      breaker: false,
      health: true,
      retries: false,
      bulkhead: false,
      limit: false,
      fault: "error",
    },
    words:
      "tier1 responds with 503 for seven seconds; the other cells are well all the time. Watch how often the router changes its mind about a cell.",
    ending: (_state, events) => {
      const changes = events.filter(({ actor }) => actor.startsWith("health ")).length;
      return `a cell's health changed ${counted(changes, "time", "times")}`;
    },
  },
  "m4/05-retry-budget": {
    simulation: "resilience",
    values: { breaker: false, failover: false, retries: true, bulkhead: false, fault: "error" },
    words: "tier1 responds with 503. Watch how many retries it gets on top of its load.",
    ending: ({ retries = 0 }) => counted(retries, "retry", "retries"),
  },
  "m4/07-failover": {
    simulation: "resilience",
    values: { health: false, retries: false, bulkhead: false, limit: false },
    words: "tier1 fails, and its fallback is tier2. Watch which cell serves acme meanwhile.",
    ending: ({ failovers = {} }) =>
      Object.entries(failovers)
        .map(
          ([way, count]) =>
            `${way.split(" ")[1]} stood in for ${way.split(" ")[0]} ${counted(count, "time", "times")}`,
        )
        .join(", ") || "nobody stood in for tier1",
  },
};

export function sceneOf(id: string): SceneOf | undefined {
  return scenes[id];
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
