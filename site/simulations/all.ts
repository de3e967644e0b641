// Every simulation of the site, for what holds for all of them.

import { fleetSim } from "./fleet-sim.ts";
import { reloadLab } from "./reload-lab.ts";
import { resilienceSim } from "./resilience-sim.ts";
import { routeLab } from "./route-lab.ts";
import { shuffleSharding } from "./shuffle-sharding.ts";
import type { Simulation } from "./simulation.ts";

/** By name. Their states differ; what is common is that they can be run and give a log. */
export const simulations: readonly Pick<
  Simulation<unknown>,
  "name" | "parameters" | "durationMs" | "worlds" | "run"
>[] = [routeLab, reloadLab, fleetSim, resilienceSim, shuffleSharding];
