// Which simulation shows the outage of an exercise, and with which values: those in which the starter fails for all to see.

import type { Values } from "../simulations/simulation.ts";

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
  /** What to look at. */
  readonly words: string;
}

const scenes: Readonly<Record<string, SceneOf>> = {
  "m1/01-route-lookup": {
    simulation: "route",
    values: { shared: false, faults: "" },
    words: "One of the tenants is called constructor. Watch where its requests go.",
  },
  "m3/03-full-jitter": {
    simulation: "fleet",
    values: { isRival: false },
    words:
      "The control plane is down for six seconds and takes only a few handshakes at once. Watch how the routers come back.",
  },
  "m4/01-token-bucket": {
    simulation: "burst",
    values: {},
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
    words:
      "The cell crashes, comes back with cold caches, and bears six requests at once until it has served three. Watch what half-open lets through.",
  },
  "m4/05-retry-budget": {
    simulation: "resilience",
    values: { breaker: false, failover: false, retries: true, bulkhead: false, fault: "error" },
    words: "tier1 responds with 503. Watch how many retries it gets on top of its load.",
  },
  "m4/07-failover": {
    simulation: "resilience",
    values: { health: false, retries: false, bulkhead: false, limit: false },
    words: "tier1 fails, and its fallback is tier2. Watch which cell serves acme meanwhile.",
  },
};

export function sceneOf(id: string): SceneOf | undefined {
  return scenes[id];
}
