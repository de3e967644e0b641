// How many of a router's sockets are in use while a cell never responds, with one guard at a time: m4's simulation, run when
// the site is built.

import { socketCount } from "../simulations/resilience-scenario.ts";
import { resilienceSim } from "../simulations/resilience-sim.ts";
import { defaultValues, type Values, valuesIn } from "../simulations/simulation.ts";
import { totals } from "../simulations/timeline.ts";

export interface SocketsInUse {
  readonly name: "bare" | "breaker" | "limit";
  /** One number each `everyMs`. */
  readonly counts: readonly number[];
  /** Requests of the tenants whose cells are well. */
  readonly othersFailed: number;
}

export interface Sockets {
  readonly most: number;
  readonly everyMs: number;
  readonly durationMs: number;
  readonly runs: readonly SocketsInUse[];
}

const everyMs = 200;

declare const data: Sockets;

export { data };

export default {
  watch: ["../simulations/resilience-*.ts", "../../stages/m4/src/*.ts"],
  load(): Sockets {
    const [bare] = resilienceSim.worlds;
    if (bare === undefined) throw new Error("m4's simulation has no world without guards");
    const values = valuesIn(bare, defaultValues(resilienceSim.parameters));
    return {
      most: socketCount,
      everyMs,
      durationMs: resilienceSim.durationMs,
      runs: [
        runOf("bare", values),
        runOf("breaker", { ...values, breaker: true, failover: true }),
        runOf("limit", { ...values, bulkhead: true }),
      ],
    };
  },
};

function runOf(name: SocketsInUse["name"], values: Values): SocketsInUse {
  const { events, trips, culprits } = resilienceSim.run(values);
  const counts: number[] = [];
  let next = 0;
  let count = 0;
  for (let atMs = 0; atMs <= resilienceSim.durationMs; atMs += everyMs) {
    for (let event = events[next]; event !== undefined && event.atMs <= atMs; event = events[++next])
      count = event.state.sockets.length;
    counts.push(count);
  }
  const others = trips.filter(({ owner }) => !culprits.has(owner));
  return { name, counts, othersFailed: totals(others).bad };
}
