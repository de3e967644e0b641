// Which simulation shows the outage of an exercise, and with which values: those in which the starter fails for all to see.
// Where the tests are about several outages, each has its scenario, and the test that fails first decides which one plays.

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

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

const fellOver: SceneOf["ending"] = ({ falls = 0 }) =>
  `the cell fell over ${counted(falls, "time", "times")}`;

const scenes: Readonly<Record<string, SceneOf>> = {
  "m1/01-route-lookup": {
    simulation: "route",
    scenarios: [
      {
        name: "constructor",
        tests: [],
        values: { shared: false, faults: "", odd: "constructor" },
        words: "One of the tenants is called constructor. Watch where its requests go.",
      },
      {
        name: "__proto__",
        tests: ["proto"],
        values: { shared: false, faults: "", odd: "__proto__" },
        words: "One of the tenants is called __proto__. Watch where its requests go.",
      },
      {
        name: "toString",
        tests: ["method-name"],
        values: { shared: false, faults: "", odd: "toString" },
        words: "One of the tenants is called toString. Watch where its requests go.",
      },
    ],
  },
  "m2/02-atomic-swap": {
    simulation: "swap",
    scenarios: [
      {
        name: "acme moves",
        tests: [],
        values: {},
        words:
          "acme moves between tier1 and tier2 while its requests are under way, and the cell that it leaves is removed. Watch the log, and the connections to the removed cell. A response that is logged under another table counts as failed.",
      },
    ],
    ending: ({ torn = 0, cells = [] }) => {
      const open = cells.filter(({ isInTable, isOpen }) => isOpen && !isInTable).length;
      return `the log has ${counted(torn, "impossible line", "impossible lines")}; ${counted(open, "removed cell", "removed cells")} still connected`;
    },
  },
  "m3/02-epoch-revision": {
    simulation: "fleet",
    scenarios: [
      {
        name: "an old backup",
        tests: [],
        values: { isRival: false, store: "backup" },
        words:
          "The control plane comes back from an old backup and begins a new epoch. Watch which routers follow it.",
      },
    ],
    hidden: ["rival", "damage", "store"],
    ending: ({ routers = [], controlPlane }) => {
      const follow = routers.filter(({ epoch }) => epoch === controlPlane?.epoch).length;
      return `${follow} of ${routers.length} routers follow the control plane's epoch`;
    },
  },
  "m3/03-full-jitter": {
    simulation: "fleet",
    scenarios: [
      {
        name: "everyone comes back",
        tests: [],
        values: { isRival: false },
        words:
          "The control plane is down for six seconds and takes only a few handshakes at once. Watch how the routers come back.",
      },
    ],
    hidden: ["rival", "damage", "store"],
    ending: ({ falls = 0 }) => `the control plane was knocked over ${counted(falls, "time", "times")}`,
  },
  "m4/01-token-bucket": {
    simulation: "burst",
    scenarios: [
      {
        name: "the full second",
        tests: [],
        values: {},
        words:
          "acme's batch job may send 10 requests per second and sends them around the full second. globex shares the cell.",
      },
    ],
    ending: fellOver,
  },
  "m4/02-circuit-breaker": {
    simulation: "resilience",
    scenarios: [
      {
        name: "a cell that hangs",
        tests: [],
        values: { health: false, failover: true, retries: false, bulkhead: false, limit: false },
        words: "tier1 accepts requests and never responds. Watch how many requests still go there.",
      },
      {
        name: "a quiet cell",
        tests: ["first-failure", "minimum"],
        values: {
          health: false,
          failover: false,
          retries: false,
          bulkhead: false,
          limit: false,
          rate: 2,
          fault: "error",
          faults: "cell-tier1_0_1500",
        },
        words:
          "Two requests per second, and tier1 fails only in the first moments. Watch who is turned away after that.",
      },
      {
        name: "every other second",
        tests: ["ratio", "below-ratio", "ratio-late", "window", "window-slides"],
        values: {
          health: false,
          failover: true,
          retries: false,
          bulkhead: false,
          limit: false,
          fault: "flap",
        },
        words: "tier1 fails every other second. Watch how many requests still go there.",
      },
    ],
  },
  "m4/03-half-open": {
    simulation: "stampede",
    scenarios: [
      {
        name: "the stampede",
        tests: [],
        values: { case: "crash" },
        words:
          "The cell crashes, comes back with cold caches, and bears six requests at once until it has served three. Watch what half-open lets through.",
      },
      {
        name: "clients leave",
        tests: ["no-failure", "no-success", "abandoned", "success-and-abandoned"],
        values: { case: "leave" },
        words:
          "The cell comes back slow, and half of the clients leave before it has responded. Watch whether half-open ends, and how.",
      },
      {
        name: "late results",
        tests: ["late-success", "late-failure", "late-abandoned", "earlier-phase", "late-closed"],
        values: { case: "reports" },
        words:
          "initech's reports began before the crash and end one after the other until 12 s, one in four with an error. Watch what their results do to the circuit.",
      },
      {
        name: "a long outage",
        tests: ["from-failure", "doubles", "grows-on", "most", "anew"],
        values: { case: "long" },
        words: "The cell is down for twelve seconds. Watch how often the circuit tries it.",
      },
    ],
    hidden: ["case"],
    ending: ({ falls = 0, inVain = 0 }) =>
      `the cell fell over ${counted(falls, "time", "times")}, ${counted(inVain, "request", "requests")} met it while it was down`,
  },
  "m4/04-health-rise-fall": {
    simulation: "resilience",
    scenarios: [
      {
        name: "seven bad seconds",
        tests: [],
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
      },
    ],
    ending: (_state, events) => {
      const changes = events.filter(({ actor }) => actor.startsWith("health ")).length;
      return `a cell's health changed ${counted(changes, "time", "times")}`;
    },
  },
  "m4/05-retry-budget": {
    simulation: "resilience",
    scenarios: [
      {
        name: "an outage",
        tests: [],
        values: { breaker: false, failover: false, retries: true, bulkhead: false, fault: "error" },
        words: "tier1 responds with 503. Watch how many retries it gets on top of its load.",
      },
    ],
    ending: ({ retries = 0 }) => counted(retries, "retry", "retries"),
  },
  "m4/06-concurrency-limit": {
    simulation: "places",
    scenarios: [
      {
        name: "clients leave",
        tests: [],
        values: { trouble: "leave" },
        words:
          "The cell bears eight requests at once, behind a limit of four. From 4 s to 9 s it is slow, and clients leave. Watch how many places count as taken, and how many requests the cell gets at once.",
      },
      {
        name: "refused connections",
        tests: ["failed", "thrown"],
        values: { trouble: "refuse" },
        words:
          "From 4 s to 9 s the cell refuses connections. Watch how many places are taken after that, and by whom.",
      },
    ],
    hidden: ["trouble"],
    ending: ({ falls = 0, lost = 0 }) =>
      `the cell fell over ${counted(falls, "time", "times")}, ${counted(Math.max(0, lost), "place is", "places are")} held by nobody`,
  },
  "m4/07-failover": {
    simulation: "resilience",
    scenarios: [
      {
        name: "a failing cell",
        tests: [],
        values: { health: false, retries: false, bulkhead: false, limit: false },
        words: "tier1 fails, and its fallback is tier2. Watch which cell serves acme meanwhile.",
      },
    ],
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
