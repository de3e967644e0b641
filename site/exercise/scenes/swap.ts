// m2/02: a tenant moves between two cells while its requests are under way. Which table does each response belong to, and what
// becomes of the connections to the cell that has left the table?

import { serveRequest } from "../../../exercises/m2/02-atomic-swap/starter/serve-request.ts";
import { type Snapshot, TableStore } from "../../../exercises/m2/02-atomic-swap/starter/table-store.ts";
import type { Placement, RoutingTable } from "../../../stages/m2/src/routing-table.ts";
import { EventQueue } from "../../simulations/event-queue.ts";
import { between, pick, seededRandom } from "../../simulations/random.ts";
import {
  numberOf,
  type Recording,
  type SimEvent,
  type Tone,
  type Values,
} from "../../simulations/simulation.ts";
import { type Traveller, Trips } from "../../simulations/trips.ts";
import { type SwapState, swapCells, swapFrame, swapTenants } from "./swap-frame.ts";

const hopMs = 150;
const swapEveryMs = 2_500;

export const swap = { run: (values: Values) => new SwapRun(values).run() };

class SwapRun {
  readonly #queue = new EventQueue();
  readonly #trips = new Trips();
  readonly #events: SimEvent<SwapState>[] = [];
  readonly #store = new TableStore();
  readonly #open = new Set<string>();
  readonly #random: () => number;
  readonly #slowestMs: number;
  #state = swapFrame.before({});
  #table = tableOf(1);

  constructor(values: Values) {
    this.#random = seededRandom(numberOf(values, "seed"));
    this.#slowestMs = numberOf(values, "slowest");
  }

  async run(): Promise<Recording<SwapState>> {
    this.#store.subscribe((next, previous) => this.#closeRemoved(next, previous));
    this.#store.swap(this.#table);
    for (let version = 2; version * swapEveryMs < swapFrame.durationMs + swapEveryMs; version++)
      this.#queue.at((version - 1) * swapEveryMs, () => this.#swap(version));
    this.#arrive();
    await this.#queue.runUntilSettled(swapFrame.durationMs);
    const trips = this.#trips.finish(swapFrame.durationMs);
    return { events: this.#events, trips, bands: [], culprits: new Set() };
  }

  #swap(version: number): void {
    this.#table = tableOf(version);
    this.#store.swap(this.#table);
    this.#state = { ...this.#state, version: this.#table.version };
    const home = this.#table.placementByKey.get("acme")?.name;
    this.#emit("router", `swaps: in table ${version}, acme is on ${home}`, "info");
  }

  /** As the stage's `upstreams.ts`: what the new table no longer names loses its connections. */
  #closeRemoved(next: Snapshot, previous: Snapshot | undefined): void {
    for (const name of previous?.table.placements.keys() ?? [])
      if (!next.table.placements.has(name)) this.#open.delete(name);
  }

  #arrive(): void {
    this.#queue.after(between(this.#random, 60, 200), () => {
      const key = pick(this.#random, swapTenants);
      const takesMs = between(this.#random, 100, this.#slowestMs);
      const traveller = this.#trips.begin(key, `tenant-${key}`, this.#queue.nowMs);
      traveller.move("router", this.#queue.nowMs, hopMs);
      this.#queue.after(hopMs, () => void this.#serve(key, takesMs, traveller));
      this.#arrive();
    });
  }

  async #serve(key: string, takesMs: number, traveller: Traveller): Promise<void> {
    const { version } = this.#table;
    let asked = "";
    const ask = ({ name }: Placement) => {
      asked = name;
      this.#open.add(name);
      traveller.move(`cell-${name}`, this.#queue.nowMs, hopMs);
      return new Promise<string>((resolve) => this.#queue.after(hopMs + takesMs, () => resolve(name)));
    };
    try {
      const served = await serveRequest(this.#store, key, ask);
      if (served === undefined) throw new Error("nobody was asked");
      const isTrue = served.routedTo === asked && served.version === version;
      if (!isTrue) {
        const line = `table ${served.version}, ${key} → ${served.routedTo}; it was ${asked}, by table ${version}`;
        return this.#end(key, traveller, line);
      }
      traveller.move("router", this.#queue.nowMs, hopMs);
      this.#queue.after(hopMs, () => {
        traveller.move(`tenant-${key}`, this.#queue.nowMs, hopMs);
        this.#queue.after(hopMs, () => this.#end(key, traveller, undefined));
      });
    } catch (error) {
      this.#end(key, traveller, `${key}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** @param impossible The line of its log, when it cannot be true. */
  #end(key: string, traveller: Traveller, impossible: string | undefined): void {
    const isTorn = impossible !== undefined;
    traveller.end(isTorn ? "failed" : "good", this.#queue.nowMs);
    const tenants = this.#state.tenants.map((tenant) => {
      if (tenant.key !== key) return tenant;
      return { ...tenant, good: tenant.good + (isTorn ? 0 : 1), torn: tenant.torn + (isTorn ? 1 : 0) };
    });
    this.#state = { ...this.#state, tenants };
    if (!isTorn) return this.#emit("router", `${key}: 200`, "good");
    this.#state = { ...this.#state, impossible, torn: this.#state.torn + 1 };
    this.#emit("log", impossible, "bad");
  }

  #emit(actor: string, what: string, tone: Tone): void {
    const cells = swapCells.map((name) => ({
      name,
      isInTable: this.#table.placements.has(name),
      isOpen: this.#open.has(name),
    }));
    this.#state = { ...this.#state, cells };
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state: this.#state });
  }
}

/** acme moves with every version; the cell that it leaves is not in the table any more. */
function tableOf(version: number): RoutingTable {
  const placementOf = (name: string): Placement => ({ name, kind: "tier", url: `http://${name}.example` });
  const [acmes, others] = [placementOf(version % 2 === 1 ? "tier1" : "tier2"), placementOf("tier3")];
  return {
    version: String(version),
    defaultPlacement: others,
    placements: new Map([acmes, others].map((placement) => [placement.name, placement])),
    placementByKey: new Map([["acme", acmes]]),
  };
}
