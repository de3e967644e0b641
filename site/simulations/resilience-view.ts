// What m4's simulation shows at a moment, and what it counts for that.

import type { BreakerState } from "../../stages/m4/src/circuit-breaker.ts";
import { type HealthState, INITIAL_HEALTH } from "../../stages/m4/src/health-state.ts";
import type { Resilience } from "../../stages/m4/src/resilience.ts";
import type { RoutingTable } from "../../stages/m4/src/routing-table.ts";
import type { SimCells } from "./resilience-cells.ts";
import { cells, tenants } from "./resilience-scenario.ts";
import type { Band } from "./simulation.ts";

export interface CellState {
  readonly name: string;
  readonly isFailing: boolean;
  readonly health: "healthy" | "unhealthy" | "not checked";
  readonly breaker: "closed" | "open" | "half-open" | "none";
  /** When an open breaker lets a probe through, and how long it waits in all; only while it is open. */
  readonly probe: { readonly atMs: number; readonly waitMs: number } | undefined;
  readonly inFlight: number;
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
  /** Tenant of each request that holds one of the router's sockets. */
  readonly sockets: readonly string[];
  readonly retries: number;
  /** Requests that another cell served: "tier1 tier2" → how many. */
  readonly failovers: Readonly<Record<string, number>>;
}

export class ResilienceView {
  readonly sockets: string[] = [];
  readonly #table: RoutingTable;
  readonly #resilience: Resilience;
  readonly #health: ReadonlyMap<string, HealthState>;
  readonly #cells: SimCells;
  readonly #tenants = new Map(tenants.map((key) => [key, { good: 0, bad: 0, limited: 0 }]));
  readonly #bands: { label: string; kind: Band["kind"]; fromMs: number; untilMs?: number }[] = [];
  #retries = 0;
  #failovers: Readonly<Record<string, number>> = {};

  constructor(
    table: RoutingTable,
    resilience: Resilience,
    health: ReadonlyMap<string, HealthState>,
    simCells: SimCells,
  ) {
    this.#table = table;
    this.#resilience = resilience;
    this.#health = health;
    this.#cells = simCells;
  }

  count(key: string, what: "good" | "bad" | "limited"): void {
    const counts = this.#tenants.get(key);
    if (counts !== undefined) counts[what] += 1;
  }

  retried(): void {
    this.#retries += 1;
  }

  failedOver(from: string, to: string): void {
    const way = `${from} ${to}`;
    this.#failovers = { ...this.#failovers, [way]: (this.#failovers[way] ?? 0) + 1 };
  }

  breakerMoved(placement: string, to: BreakerState, nowMs: number): void {
    const label = `breaker ${placement}`;
    for (const band of this.#bands) if (band.label === label) band.untilMs ??= nowMs;
    if (to.kind !== "closed") this.#bands.push({ label, kind: to.kind, fromMs: nowMs });
  }

  bands(durationMs: number): Band[] {
    return this.#bands.map((band) => ({ ...band, untilMs: band.untilMs ?? durationMs }));
  }

  state(nowMs: number): ResilienceState {
    return {
      cells: cells.map((name) => this.#cell(name, nowMs)),
      // The counters are kept in place; an event keeps what they were.
      tenants: [...this.#tenants].map(([key, counts]) => ({ key, ...counts })),
      sockets: [...this.sockets],
      retries: this.#retries,
      failovers: this.#failovers,
    };
  }

  #cell(name: string, nowMs: number): CellState {
    const placement = this.#table.placements.get(name);
    const breaker = placement && this.#resilience.guard(placement).breaker?.state(nowMs);
    const isChecked = placement?.health !== undefined;
    return {
      name,
      isFailing: this.#cells.isFailing(name, nowMs),
      health: isChecked ? (this.#health.get(name) ?? INITIAL_HEALTH).kind : "not checked",
      breaker: breaker?.kind ?? "none",
      probe:
        breaker?.kind === "open"
          ? { atMs: breaker.openedAtMs + breaker.waitMs, waitMs: breaker.waitMs }
          : undefined,
      inFlight: this.#cells.inFlight(name),
      attempts: this.#cells.attempts(name),
    };
  }
}
