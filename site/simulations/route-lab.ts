// m1: requests of a few tenants arrive, the stage's own `route` decides where each one goes, and one backend stops
// answering. The same traffic with all cells behind one shared pool shows what the cells are for.

import { type RouteDecision, route } from "../../stages/m1/src/routing.ts";
import { staticRoutingTable } from "../../stages/m1/src/routing-table.ts";
import { EventQueue } from "./event-queue.ts";
import { between, pick, seededRandom } from "./random.ts";
import {
  isOn,
  numberOf,
  type SimEvent,
  type Simulation,
  seedParameter,
  textOf,
  type Values,
} from "./simulation.ts";

export interface CellView {
  readonly name: string;
  readonly isUp: boolean;
  readonly served: number;
  readonly failed: number;
}

export interface TenantView {
  readonly key: string;
  readonly served: number;
  readonly failed: number;
}

export interface RouteLabState {
  readonly cells: readonly CellView[];
  readonly tenants: readonly TenantView[];
  /** The request that was answered last. */
  readonly last?: {
    readonly key: string;
    readonly placement: string;
    readonly reason: RouteDecision["reason"];
    readonly status: number;
  };
}

const table = staticRoutingTable();
const tenants = ["visa", "acme", "globex", "initech", "someone-new", "constructor"];
const failsAtMs = 3_000;
const recoversAtMs = 9_000;

export const routeLab: Simulation<RouteLabState> = {
  name: "route",
  durationMs: 12_000,
  parameters: [
    seedParameter,
    {
      kind: "number",
      name: "rate",
      label: "Requests",
      unit: "per second",
      min: 1,
      max: 20,
      step: 1,
      value: 6,
    },
    {
      kind: "choice",
      name: "fails",
      label: "What fails from 3 s to 9 s",
      choices: [
        { value: "tier1", label: "tier1 (acme's tier)" },
        { value: "tier2", label: "tier2 (globex's tier)" },
        { value: "tier3", label: "tier3 (everybody else)" },
        { value: "visa", label: "visa (a dedicated cell)" },
        { value: "nothing", label: "nothing" },
      ],
      value: "tier1",
    },
    { kind: "switch", name: "shared", label: "One shared backend instead of cells", value: false },
  ],
  before,
  run,
};

function before(): RouteLabState {
  return {
    cells: [...table.placements.keys()].map((name) => ({ name, isUp: true, served: 0, failed: 0 })),
    tenants: tenants.map((key) => ({ key, served: 0, failed: 0 })),
  };
}

function run(values: Values): SimEvent<RouteLabState>[] {
  const random = seededRandom(numberOf(values, "seed"));
  const queue = new EventQueue();
  const events: SimEvent<RouteLabState>[] = [];
  const isShared = isOn(values, "shared");
  const failing = textOf(values, "fails");
  let state = before();

  const emit = (actor: string, what: string, tone: SimEvent<RouteLabState>["tone"]) =>
    events.push({ atMs: queue.nowMs, actor, what, tone, state });

  const setUp = (isUp: boolean) => {
    // Behind one shared backend, what takes it down takes it down for everyone.
    const fails = (name: string) => isShared || name === failing;
    state = { ...state, cells: state.cells.map((cell) => (fails(cell.name) ? { ...cell, isUp } : cell)) };
    const name = isShared ? "the shared backend" : failing;
    emit(name, isUp ? "answers again" : "stops answering", isUp ? "good" : "bad");
  };

  const request = () => {
    const key = pick(random, tenants);
    const { placement, reason } = route(table, key);
    const cell = state.cells.find(({ name }) => name === placement.name);
    const isServed = cell?.isUp === true;
    const count = <T extends { served: number; failed: number }>(each: T): T =>
      isServed ? { ...each, served: each.served + 1 } : { ...each, failed: each.failed + 1 };
    state = {
      cells: state.cells.map((each) => (each.name === placement.name ? count(each) : each)),
      tenants: state.tenants.map((each) => (each.key === key ? count(each) : each)),
      last: { key, placement: placement.name, reason, status: isServed ? 200 : 502 },
    };
    emit(
      "router",
      `${key} → ${placement.name} (${reason}): ${isServed ? 200 : 502}`,
      isServed ? "info" : "bad",
    );
    arrive();
  };

  const arrive = () => {
    const meanMs = 1_000 / numberOf(values, "rate");
    queue.after(between(random, meanMs * 0.4, meanMs * 1.6), request);
  };

  if (failing !== "nothing") {
    queue.at(failsAtMs, () => setUp(false));
    queue.at(recoversAtMs, () => setUp(true));
  }
  arrive();
  queue.runUntil(routeLab.durationMs);
  return events;
}
