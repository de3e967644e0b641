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
import { cells, documentFor, type Fault, parameters, tenants } from "./resilience-scenario.ts";
import { numberOf, type SimEvent, type Simulation, type Tone, textOf, type Values } from "./simulation.ts";

export interface CellState {
  readonly name: string;
  readonly isFailing: boolean;
  readonly health: "healthy" | "unhealthy" | "not checked";
  readonly breaker: "closed" | "open" | "half-open" | "none";
  readonly inFlight: number;
  /** Attempts that reached the cell: its load. */
  readonly attempts: number;
}

export interface ResilienceState {
  readonly cells: readonly CellState[];
  readonly tenants: readonly {
    readonly key: string;
    readonly good: number;
    readonly bad: number;
    readonly limited: number;
  }[];
  readonly retries: number;
  readonly failovers: number;
}

/** When the fault begins and ends, in milliseconds. */
const faultFromMs = 4_000;
const faultUntilMs = 11_000;
/** How long an attempt waits for an answer's head; 10 s in the stage, less here so that one sees it. */
const headTimeoutMs = 1_500;

export const resilienceSim: Simulation<ResilienceState> = {
  name: "resilience",
  durationMs: 20_000,
  parameters,
  before: (values) => new ResilienceRun(values).state(),
  run: (values) => new ResilienceRun(values).run(),
};

interface Request {
  readonly key: string;
  readonly startedAtMs: number;
  readonly origin: Placement;
  readonly release: () => void;
  retries: number;
  readonly unreachable: Map<string, Refusal>;
  lastFailure?: "connect-failed";
}

class ResilienceRun {
  readonly #values: Values;
  readonly #random: () => number;
  readonly #queue = new EventQueue();
  readonly #events: SimEvent<ResilienceState>[] = [];
  readonly #table: RoutingTable;
  readonly #resilience: Resilience;
  readonly #health = new Map<string, HealthState>();
  readonly #inFlight = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  readonly #tenants = new Map(tenants.map((key) => [key, { good: 0, bad: 0, limited: 0 }]));
  #retries = 0;
  #failovers = 0;

  constructor(values: Values) {
    this.#values = values;
    this.#random = seededRandom(numberOf(values, "seed"));
    const parsed = parseRoutingTable(documentFor(values));
    if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
    this.#table = parsed.table;
    this.#resilience = new Resilience({
      isHealthy: (placement) => this.#health.get(placement)?.kind !== "unhealthy",
      onBreaker: (placement, to, from) =>
        this.#emit(
          `breaker ${placement}`,
          `${from.kind} → ${to.kind}${to.kind === "open" ? ` for ${to.waitMs / 1000} s` : ""}`,
          to.kind === "closed" ? "good" : "warn",
        ),
    });
    this.#resilience.update(this.#table, 0);
  }

  run(): readonly SimEvent<ResilienceState>[] {
    const fault = textOf(this.#values, "fault") as Fault;
    if (fault !== "none") {
      this.#queue.at(faultFromMs, () => this.#emit("tier1", faultWords[fault], "bad"));
      this.#queue.at(faultUntilMs, () => this.#emit("tier1", "works again", "good"));
    }
    for (const placement of this.#table.placements.values()) {
      if (placement.health !== undefined)
        this.#queue.at(this.#random() * placement.health.intervalMs, () => this.#probe(placement));
    }
    this.#arrive();
    this.#queue.runUntil(resilienceSim.durationMs);
    return this.#events;
  }

  state(): ResilienceState {
    const nowMs = this.#queue.nowMs;
    return {
      cells: cells.map((name) => {
        const placement = this.#table.placements.get(name);
        const guard = placement && this.#resilience.guard(placement);
        return {
          name,
          isFailing: this.#isFailing(name),
          health:
            placement?.health === undefined ? "not checked" : (this.#health.get(name) ?? INITIAL_HEALTH).kind,
          breaker: guard?.breaker?.state(nowMs).kind ?? "none",
          inFlight: this.#inFlight.get(name) ?? 0,
          attempts: this.#attempts.get(name) ?? 0,
        };
      }),
      tenants: [...this.#tenants].map(([key, counts]) => ({ key, ...counts })),
      retries: this.#retries,
      failovers: this.#failovers,
    };
  }

  #isFailing(cell: string): boolean {
    const { nowMs } = this.#queue;
    const fault = textOf(this.#values, "fault");
    if (cell !== "tier1" || fault === "none" || nowMs < faultFromMs || nowMs >= faultUntilMs) return false;
    return fault !== "flap" || Math.floor(nowMs / 1_000) % 2 === 0;
  }

  #arrive(): void {
    const meanMs = 1_000 / numberOf(this.#values, "rate");
    this.#queue.after(between(this.#random, meanMs * 0.4, meanMs * 1.6), () => {
      this.#arrive();
      // acme is the tenant of the failing tier, and the busiest one.
      this.#serve(this.#random() < 0.6 ? "acme" : pick(this.#random, tenants));
    });
  }

  #serve(key: string): void {
    const { nowMs } = this.#queue;
    const { placement: origin } = route(this.#table, key);
    const taken = this.#resilience.tryTake(key, origin, nowMs);
    if (!taken.ok) return this.#end(key, "limited", `${key}: 429, again in ${taken.retryAfterMs} ms`, "warn");
    const place = this.#resilience.guard(origin).limit.tryAcquire();
    if (place === undefined)
      return this.#end(key, "bad", `${key}: 503, ${origin.name} has too many in flight`, "bad");
    this.#choose({
      key,
      startedAtMs: nowMs,
      origin,
      release: () => place.release(),
      retries: 0,
      unreachable: new Map(),
    });
  }

  #choose(request: Request): void {
    const { nowMs } = this.#queue;
    const { key, origin } = request;
    const { choice, admission } = this.#resilience.admit(this.#table, origin, request.unreachable, nowMs);
    if (choice.kind === "none") {
      request.release();
      const status = request.lastFailure === undefined ? 503 : 502;
      return this.#end(key, "bad", `${key}: ${status}, nobody takes it (${choice.reason})`, "bad");
    }
    const { target } = choice;
    if (choice.kind === "fallback") this.#failovers += 1;
    if (request.retries === 0) this.#resilience.guard(target).budget.deposit(nowMs);
    const via = choice.kind === "fallback" ? ` instead of ${origin.name} (${choice.reason})` : "";
    this.#count(this.#attempts, target.name, 1);
    this.#count(this.#inFlight, target.name, 1);
    const { delayMs, outcome } = this.#answerOf(target.name);
    this.#queue.after(delayMs, () => {
      this.#count(this.#inFlight, target.name, -1);
      admission.record(outcome === "answered" ? "success" : "failure", this.#queue.nowMs);
      admission.end(this.#queue.nowMs);
      if (outcome === "answered") {
        request.release();
        const again = request.retries === 0 ? "" : `, after ${request.retries} retries`;
        return this.#end(
          key,
          "good",
          `${key} → ${target.name}${via}: 200${again}`,
          via === "" ? "info" : "good",
        );
      }
      this.#failed(request, target, outcome);
    });
  }

  #failed(
    request: Request,
    target: Placement,
    failure: "connect-failed" | "failure-status" | "timed-out",
  ): void {
    const { key } = request;
    // Where no connection came about, the chain is asked first: that costs the cell nothing.
    if (failure === "connect-failed" && (request.origin.fallback?.length ?? 0) > 0) {
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
      return this.#end(
        key,
        "bad",
        `${key} → ${target.name}: ${status}${decision.why === "not-configured" ? "" : `, no retry: ${decision.why}`}`,
        "bad",
      );
    }
    request.retries += 1;
    this.#retries += 1;
    this.#queue.after(decision.delayMs, () => this.#choose(request));
  }

  /** What the cell does with one attempt that begins now. */
  #answerOf(cell: string): {
    readonly delayMs: number;
    readonly outcome: "answered" | "connect-failed" | "failure-status" | "timed-out";
  } {
    const usualMs = between(this.#random, 20, 60);
    if (!this.#isFailing(cell)) return { delayMs: usualMs, outcome: "answered" };
    switch (textOf(this.#values, "fault") as Fault) {
      case "down":
        return { delayMs: 1, outcome: "connect-failed" };
      case "hang":
        return { delayMs: headTimeoutMs, outcome: "timed-out" };
      default:
        return { delayMs: usualMs, outcome: "failure-status" };
    }
  }

  #probe(placement: Placement): void {
    const { name, health } = placement;
    if (health === undefined) return;
    const from = this.#health.get(name) ?? INITIAL_HEALTH;
    const to = nextHealth(from, !this.#isFailing(name), health);
    this.#health.set(name, to);
    if (to.kind !== from.kind)
      this.#emit(`health ${name}`, `${from.kind} → ${to.kind}`, to.kind === "healthy" ? "good" : "warn");
    this.#queue.after(health.intervalMs * (0.9 + 0.2 * this.#random()), () => this.#probe(placement));
  }

  #end(key: string, count: "good" | "bad" | "limited", what: string, tone: Tone): void {
    const counts = this.#tenants.get(key);
    if (counts !== undefined) counts[count] += 1;
    this.#emit("router", what, tone);
  }

  #count(counts: Map<string, number>, name: string, change: number): void {
    counts.set(name, (counts.get(name) ?? 0) + change);
  }

  #emit(actor: string, what: string, tone: Tone): void {
    this.#events.push({ atMs: this.#queue.nowMs, actor, what, tone, state: snapshotOf(this.state()) });
  }
}

const faultWords: Readonly<Record<Fault, string>> = {
  down: "refuses connections",
  error: "answers 503",
  hang: "accepts requests and never answers",
  flap: "fails every other second",
  none: "",
};

/** The counters are kept in place; an event keeps what they were. */
function snapshotOf(state: ResilienceState): ResilienceState {
  return { ...state, tenants: state.tenants.map((tenant) => ({ ...tenant })) };
}
