// m1: requests of a few tenants arrive, the stage's own `route` decides where each one goes, and one tenant runs a load
// test. The same traffic into one shared backend shows what the cells are for. Times are stretched: a hop takes 0.2 s.

import { type RouteDecision, route } from "../../stages/m1/src/routing.ts";
import { staticRoutingTable } from "../../stages/m1/src/routing-table.ts";
import { EventQueue } from "./event-queue.ts";
import { type Fault, isBroken, readFaults } from "./faults.ts";
import { between, pick, seededRandom } from "./random.ts";
import { sharedName } from "./route-scenario.ts";
import {
  isOn,
  numberOf,
  type Recording,
  type SimEvent,
  type Simulation,
  seedParameter,
  type Tone,
  textOf,
  type Values,
} from "./simulation.ts";
import { type Traveller, Trips } from "./trips.ts";

export interface CellView {
  readonly name: string;
  readonly isUp: boolean;
  readonly served: number;
  readonly failed: number;
  /** Requests that wait for one of its connections. */
  readonly waiting: number;
}

export interface TenantView {
  readonly key: string;
  readonly served: number;
  readonly failed: number;
  readonly isLoadTesting: boolean;
}

export interface RouteLabState {
  readonly cells: readonly CellView[];
  readonly tenants: readonly TenantView[];
  /** Why the router chose as it did, for the request that it decided last. */
  readonly reason: RouteDecision["reason"] | undefined;
}

const table = staticRoutingTable();
const cellNames = [...table.placements.keys()];
/** The last of them may have another name: the value `odd`, which only exercises set. */
const usualTenants = ["visa", "acme", "globex", "initech", "someone-new", "constructor"];
const tenantsWith = (odd: unknown) => [
  ...usualTenants.slice(0, -1),
  typeof odd === "string" ? odd : "constructor",
];

const hopMs = 200;
/** Connections to each cell. The shared backend has those of all cells together: the same hardware. */
const connectionsPerCell = 4;
/** How long a request waits for a connection before its client gives up. */
const patienceMs = 1_500;
const loadPerSecond = 90;

const targets: Readonly<Record<string, string>> = {
  ...Object.fromEntries(usualTenants.map((key) => [`load-${key}`, `${key} runs a load test`])),
  ...Object.fromEntries(cellNames.map((name) => [`cell-${name}`, `${name} is down`])),
};

export const routeLab: Simulation<RouteLabState> = {
  name: "route",
  durationMs: 12_000,
  worlds: [
    { name: "shared", label: () => "One shared backend", values: { shared: true } },
    { name: "cells", label: () => "A cell for each placement", values: { shared: false } },
  ],
  rows: ["bystanders", "latency", "in flight"],
  parameters: [
    seedParameter,
    {
      kind: "number",
      name: "rate",
      label: "Requests",
      unit: "per second",
      min: 1,
      max: 16,
      step: 1,
      value: 8,
    },
    { kind: "faults", name: "faults", label: "What goes wrong", targets, value: "load-acme_3000_9000" },
  ],
  before: (values) => new RouteRun(values).state,
  run: (values) => new RouteRun(values).run(),
};

interface Job {
  readonly key: string;
  readonly traveller: Traveller;
  isOver: boolean;
}

interface Backend {
  readonly name: string;
  readonly connections: number;
  readonly serving: Set<Job>;
  readonly waiting: Job[];
}

class RouteRun {
  state: RouteLabState;
  readonly #values: Values;
  readonly #tenants: readonly string[];
  readonly #faults: readonly Fault[];
  readonly #queue = new EventQueue();
  readonly #trips = new Trips();
  readonly #events: SimEvent<RouteLabState>[] = [];
  readonly #backends: ReadonlyMap<string, Backend>;
  // One stream of chance for who comes when and one for how long it takes: both worlds see the same requests.
  readonly #arrivals: () => number;
  readonly #work: () => number;

  constructor(values: Values) {
    this.#values = values;
    this.#tenants = tenantsWith(values["odd"]);
    this.#faults = readFaults(textOf(values, "faults"), targets);
    this.#arrivals = seededRandom(numberOf(values, "seed"));
    this.#work = seededRandom(numberOf(values, "seed") + 10_000);
    const names = isOn(values, "shared") ? [sharedName] : cellNames;
    const connections = (connectionsPerCell * cellNames.length) / names.length;
    this.#backends = new Map(
      names.map((name) => [name, { name, connections, serving: new Set(), waiting: [] }]),
    );
    this.state = {
      cells: names.map((name) => ({ name, isUp: true, served: 0, failed: 0, waiting: 0 })),
      tenants: this.#tenants.map((key) => ({ key, served: 0, failed: 0, isLoadTesting: false })),
      reason: undefined,
    };
  }

  run(): Recording<RouteLabState> {
    for (const { target, fromMs, untilMs } of this.#faults) {
      const [, kind, name = ""] = /^(load|cell)-(.*)$/.exec(target) ?? [];
      const change = kind === "load" ? () => this.#load(name) : () => this.#upOrDown(name);
      this.#queue.at(fromMs, change);
      this.#queue.at(untilMs, change);
    }
    this.#arrive();
    this.#queue.runUntil(routeLab.durationMs);
    const culprits = this.#tenants.filter((key) =>
      this.#faults.some(({ target }) => target === `load-${key}`),
    );
    return {
      events: this.#events,
      trips: this.#trips.finish(routeLab.durationMs),
      bands: [],
      culprits: new Set(culprits),
    };
  }

  #arrive(): void {
    const meanMs = 1_000 / numberOf(this.#values, "rate");
    this.#queue.after(between(this.#arrivals, meanMs * 0.4, meanMs * 1.6), () => {
      this.#send(pick(this.#arrivals, this.#tenants));
      this.#arrive();
    });
  }

  #load(key: string): void {
    const isLoadTesting = isBroken(this.#faults, `load-${key}`, this.#queue.nowMs);
    this.#setTenant(key, () => ({ isLoadTesting }));
    this.#emit(
      key,
      isLoadTesting ? "starts a load test" : "ends its load test",
      isLoadTesting ? "bad" : "good",
    );
    if (isLoadTesting) this.#sendLoad(key);
  }

  #sendLoad(key: string): void {
    if (!isBroken(this.#faults, `load-${key}`, this.#queue.nowMs)) return;
    this.#send(key);
    this.#queue.after(1_000 / loadPerSecond, () => this.#sendLoad(key));
  }

  #upOrDown(name: string): void {
    // The machine that was the cell is the machine that everybody shares.
    const backend = this.#backends.get(name) ?? this.#backends.get(sharedName);
    if (backend === undefined) return;
    const isUp = !this.#isDown(backend);
    this.#setCell(backend, () => ({ isUp }));
    this.#emit(backend.name, isUp ? "answers again" : "goes down", isUp ? "good" : "bad");
    if (!isUp) for (const job of [...backend.serving, ...backend.waiting]) this.#fail(job, backend, 502);
  }

  #isDown({ name }: Backend): boolean {
    const machines = name === sharedName ? cellNames : [name];
    return machines.some((each) => isBroken(this.#faults, `cell-${each}`, this.#queue.nowMs));
  }

  #send(key: string): void {
    const traveller = this.#trips.begin(key, `tenant-${key}`, this.#queue.nowMs);
    traveller.move("router", this.#queue.nowMs, hopMs);
    this.#queue.after(hopMs, () => {
      const decision = this.#decide(key, traveller);
      if (decision === undefined) return;
      const { placement, reason } = decision;
      const backend = this.#backends.get(placement.name) ?? this.#backends.get(sharedName);
      if (backend === undefined) throw new Error(`no backend for ${placement.name}`);
      this.state = { ...this.state, reason };
      this.#enter({ key, traveller, isOver: false }, backend);
    });
  }

  /** The stage's `route` never throws. An exercise's may, and a router that throws responds with 500. */
  #decide(key: string, traveller: Traveller): RouteDecision | undefined {
    try {
      return route(table, key);
    } catch (error) {
      traveller.end("failed", this.#queue.nowMs);
      this.#setTenant(key, ({ failed }) => ({ failed: failed + 1 }));
      this.#emit("router", `${key}: 500, ${error instanceof Error ? error.message : error}`, "bad");
      return undefined;
    }
  }

  #enter(job: Job, backend: Backend): void {
    if (this.#isDown(backend)) return this.#fail(job, backend, 502);
    if (backend.serving.size < backend.connections) return this.#serve(job, backend);
    backend.waiting.push(job);
    job.traveller.move(`queue-${backend.name}`, this.#queue.nowMs, hopMs);
    this.#setCell(backend, () => ({ waiting: backend.waiting.length }));
    this.#queue.after(patienceMs, () => {
      if (backend.waiting.includes(job)) this.#fail(job, backend, 504);
    });
  }

  #serve(job: Job, backend: Backend): void {
    const { nowMs } = this.#queue;
    backend.serving.add(job);
    job.traveller.move(`cell-${backend.name}`, nowMs, hopMs);
    this.#queue.after(hopMs + between(this.#work, 60, 240), () => {
      if (job.isOver) return;
      this.#leave(job, backend);
      const endMs = this.#queue.nowMs;
      job.traveller.move("router", endMs, hopMs);
      this.#queue.after(hopMs, () => {
        job.traveller.move(`tenant-${job.key}`, this.#queue.nowMs, hopMs);
        this.#queue.after(hopMs, () => job.traveller.end("good", this.#queue.nowMs));
      });
      this.#setCell(backend, ({ served }) => ({ served: served + 1 }));
      this.#setTenant(job.key, ({ served }) => ({ served: served + 1 }));
      this.#emit("router", `${job.key} → ${backend.name}: 200`, "info");
    });
  }

  #fail(job: Job, backend: Backend, status: 502 | 504): void {
    this.#leave(job, backend);
    job.traveller.end("failed", this.#queue.nowMs);
    this.#setCell(backend, ({ failed }) => ({ failed: failed + 1 }));
    this.#setTenant(job.key, ({ failed }) => ({ failed: failed + 1 }));
    const why = status === 502 ? "nothing answers" : "no connection became free";
    this.#emit("router", `${job.key} → ${backend.name}: ${status}, ${why}`, "bad");
  }

  /** Frees what `job` holds, and lets the first of those that wait have it. */
  #leave(job: Job, backend: Backend): void {
    job.isOver = true;
    const index = backend.waiting.indexOf(job);
    if (index >= 0) backend.waiting.splice(index, 1);
    if (backend.serving.delete(job) && !this.#isDown(backend)) {
      const next = backend.waiting.shift();
      if (next !== undefined) this.#serve(next, backend);
    }
    this.#setCell(backend, () => ({ waiting: backend.waiting.length }));
  }

  #setCell({ name }: Backend, change: (cell: CellView) => Partial<CellView>): void {
    const cells = this.state.cells.map((cell) => (cell.name === name ? { ...cell, ...change(cell) } : cell));
    this.state = { ...this.state, cells };
  }

  #setTenant(key: string, change: (tenant: TenantView) => Partial<TenantView>): void {
    const all = this.state.tenants.map((tenant) =>
      tenant.key === key ? { ...tenant, ...change(tenant) } : tenant,
    );
    this.state = { ...this.state, tenants: all };
  }

  #emit(actor: string, what: string, tone: Tone): void {
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state: this.state });
  }
}
