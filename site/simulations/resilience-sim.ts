// m4: a cell fails, and each protection can be switched on and off. Limits, breakers, failover and retries are the stage's
// own modules; cells, time and traffic are simulated. The steps of a request are those of the stage's `attempts.ts`.

import type { Refusal } from "../../stages/m4/src/failover.ts";
import { type HealthState, INITIAL_HEALTH, nextHealth } from "../../stages/m4/src/health-state.ts";
import { Resilience } from "../../stages/m4/src/resilience.ts";
import { mayRetry } from "../../stages/m4/src/retry-policy.ts";
import { route } from "../../stages/m4/src/routing.ts";
import { type Placement, parseRoutingTable, type RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { EventQueue } from "./event-queue.ts";
import { between, pick, seededRandom } from "./random.ts";
import { SimCells } from "./resilience-cells.ts";
import { documentFor, parameters, socketCount, tenants, worlds } from "./resilience-scenario.ts";
import { type ResilienceState, ResilienceView } from "./resilience-view.ts";
import {
  numberOf,
  type Recording,
  type SimEvent,
  type Simulation,
  type Tone,
  type Values,
} from "./simulation.ts";
import { type Traveller, type TripResult, Trips } from "./trips.ts";

const durationMs = 20_000;
/** Times are stretched: a hop takes this long, so that one sees it. */
const hopMs = 150;

export const resilienceSim: Simulation<ResilienceState> = {
  name: "resilience",
  durationMs,
  worlds,
  rows: ["bystanders", "success", "latency", "in flight"],
  parameters,
  before: (values) => new ResilienceRun(values).state(),
  run: (values) => new ResilienceRun(values).run(),
};

interface Request {
  readonly key: string;
  readonly traveller: Traveller;
  readonly startedAtMs: number;
  readonly primary: Placement;
  readonly release: () => void;
  retries: number;
  readonly unreachable: Map<string, Refusal>;
  lastFailure?: "connect-failed";
}

class ResilienceRun {
  readonly #values: Values;
  // Who comes when is drawn apart from all else: both worlds see the same requests.
  readonly #arrivals: () => number;
  readonly #random: () => number;
  readonly #queue = new EventQueue();
  readonly #trips = new Trips();
  readonly #events: SimEvent<ResilienceState>[] = [];
  readonly #table: RoutingTable;
  readonly #resilience: Resilience;
  readonly #health = new Map<string, HealthState>();
  readonly #cells: SimCells;
  readonly #view: ResilienceView;

  constructor(values: Values) {
    this.#values = values;
    this.#arrivals = seededRandom(numberOf(values, "seed"));
    this.#random = seededRandom(numberOf(values, "seed") + 10_000);
    this.#cells = new SimCells(values, this.#random);
    const parsed = parseRoutingTable(documentFor(values));
    if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
    this.#table = parsed.table;
    this.#resilience = new Resilience({
      isHealthy: (placement) => this.#health.get(placement)?.kind !== "unhealthy",
      onBreaker: (placement, to, from) => {
        this.#view.breakerMoved(placement, to, this.#queue.nowMs);
        this.#emit(
          `breaker ${placement}`,
          `${from.kind} → ${to.kind}${to.kind === "open" ? ` for ${to.waitMs / 1000} s` : ""}`,
          to.kind === "closed" ? "good" : "warn",
        );
      },
    });
    this.#resilience.update(this.#table, 0);
    this.#view = new ResilienceView(this.#table, this.#resilience, this.#health, this.#cells);
  }

  run(): Recording<ResilienceState> {
    for (const { cell, fromMs, untilMs } of this.#cells.faults) {
      this.#queue.at(fromMs, () => this.#emit(cell, this.#cells.faultWords, "bad"));
      this.#queue.at(untilMs, () => this.#emit(cell, "works again", "good"));
    }
    for (const placement of this.#table.placements.values()) {
      if (placement.health !== undefined)
        this.#queue.at(this.#random() * placement.health.intervalMs, () => this.#probe(placement));
    }
    this.#arrive();
    this.#queue.runUntil(durationMs);
    const broken = new Set(this.#cells.faults.map(({ cell }) => cell));
    return {
      events: this.#events,
      trips: this.#trips.finish(durationMs),
      bands: this.#view.bands(durationMs),
      culprits: new Set(tenants.filter((key) => broken.has(route(this.#table, key).placement.name))),
    };
  }

  state(): ResilienceState {
    return this.#view.state(this.#queue.nowMs);
  }

  #arrive(): void {
    const meanMs = 1_000 / numberOf(this.#values, "rate");
    this.#queue.after(between(this.#arrivals, meanMs * 0.4, meanMs * 1.6), () => {
      // acme is the tenant of the cell that fails at first, and the busiest one.
      const key = this.#arrivals() < 0.6 ? "acme" : pick(this.#arrivals, tenants);
      this.#arrive();
      const traveller = this.#trips.begin(key, `tenant-${key}`, this.#queue.nowMs);
      traveller.move("router", this.#queue.nowMs, hopMs);
      this.#queue.after(hopMs, () => this.#serve(key, traveller));
    });
  }

  #serve(key: string, traveller: Traveller): void {
    const { nowMs } = this.#queue;
    const { sockets } = this.#view;
    if (sockets.length >= socketCount)
      return this.#end(key, traveller, "failed", `${key}: no connection, the router has no socket left`);
    const { placement: primary } = route(this.#table, key);
    const taken = this.#resilience.tryTake(key, primary, nowMs);
    if (!taken.ok)
      return this.#end(key, traveller, "refused", `${key}: 429, again in ${taken.retryAfterMs} ms`);
    const permit = this.#resilience.guard(primary).limit.tryAcquire();
    if (permit === undefined)
      return this.#end(key, traveller, "failed", `${key}: 503, ${primary.name} has too many in flight`);
    sockets.push(key);
    this.#choose({
      key,
      traveller,
      startedAtMs: nowMs,
      primary,
      release: () => {
        sockets.splice(sockets.indexOf(key), 1);
        permit.release();
      },
      retries: 0,
      unreachable: new Map(),
    });
  }

  #choose(request: Request): void {
    const { nowMs } = this.#queue;
    const { key, primary, traveller } = request;
    const { choice, admission } = this.#resilience.admit(this.#table, primary, request.unreachable, nowMs);
    if (choice.kind === "none") {
      request.release();
      const status = request.lastFailure === undefined ? 503 : 502;
      return this.#end(key, traveller, "failed", `${key}: ${status}, nobody takes it (${choice.reason})`);
    }
    const { target } = choice;
    const isElsewhere = choice.kind === "fallback";
    if (isElsewhere) this.#view.failedOver(primary.name, target.name);
    if (request.retries === 0) this.#resilience.guard(target).budget.deposit(nowMs);
    const via = isElsewhere ? ` instead of ${primary.name} (${choice.reason})` : "";
    traveller.move(`cell-${target.name}`, nowMs, hopMs);
    const { delayMs, outcome } = this.#cells.begin(target.name, nowMs);
    this.#queue.after(hopMs + delayMs, () => {
      this.#cells.end(target.name);
      admission.record(outcome === "answered" ? "success" : "failure", this.#queue.nowMs);
      admission.end(this.#queue.nowMs);
      if (outcome !== "answered") return this.#failed(request, target, outcome);
      request.release();
      const again = request.retries === 0 ? "" : `, after ${counted(request.retries, "retry", "retries")}`;
      this.#return(request, `${key} → ${target.name}${via}: 200${again}`, isElsewhere ? "good" : "info");
    });
  }

  /** The response goes back: to the router, and to its client. */
  #return({ key, traveller }: Request, what: string, tone: Tone): void {
    this.#view.count(key, "good");
    this.#emit("router", what, tone);
    traveller.move("router", this.#queue.nowMs, hopMs);
    this.#queue.after(hopMs, () => {
      traveller.move(`tenant-${key}`, this.#queue.nowMs, hopMs);
      this.#queue.after(hopMs, () => traveller.end("good", this.#queue.nowMs));
    });
  }

  #failed(
    request: Request,
    target: Placement,
    failure: "connect-failed" | "failure-status" | "timed-out",
  ): void {
    const { key, traveller } = request;
    // Where no connection came about, the chain is asked first: that costs the cell nothing.
    if (failure === "connect-failed" && (request.primary.fallback?.length ?? 0) > 0) {
      request.unreachable.set(target.name, { reason: "connect-failed" });
      request.lastFailure = failure;
      return this.#choose(request);
    }
    const decision = mayRetry(
      {
        method: "GET",
        hasBody: false,
        failure,
        sent: failure !== "connect-failed",
        responseStarted: false,
        attempt: request.retries,
        elapsedMs: this.#queue.nowMs - request.startedAtMs,
        deadlineMs: 10_000,
      },
      target.retries,
      this.#resilience.guard(target).budget,
      this.#random,
    );
    if (!decision.retry) {
      request.release();
      const status = failure === "timed-out" ? 504 : failure === "connect-failed" ? 502 : 503;
      const why = decision.why === "not-configured" ? "" : `, no retry: ${decision.why}`;
      return this.#end(key, traveller, "failed", `${key} → ${target.name}: ${status}${why}`);
    }
    request.retries += 1;
    this.#view.retried();
    this.#queue.after(decision.delayMs, () => this.#choose(request));
  }

  #probe(placement: Placement): void {
    const { name, health } = placement;
    if (health === undefined) return;
    const from = this.#health.get(name) ?? INITIAL_HEALTH;
    const to = nextHealth(from, !this.#cells.isFailing(name, this.#queue.nowMs), health);
    this.#health.set(name, to);
    if (to.kind !== from.kind)
      this.#emit(`health ${name}`, `${from.kind} → ${to.kind}`, to.kind === "healthy" ? "good" : "warn");
    this.#queue.after(health.intervalMs * (0.9 + 0.2 * this.#random()), () => this.#probe(placement));
  }

  #end(key: string, traveller: Traveller, result: TripResult & ("failed" | "refused"), what: string): void {
    traveller.end(result, this.#queue.nowMs);
    this.#view.count(key, result === "refused" ? "limited" : "bad");
    this.#emit("router", what, result === "refused" ? "warn" : "bad");
  }

  #emit(actor: string, what: string, tone: Tone): void {
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state: this.state() });
  }
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
