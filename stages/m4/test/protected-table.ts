// Tables and clocks for the tests of what protects: one line a placement.

import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import type { AttemptResult } from "../src/attempt.ts";
import { type AttemptedRequest, Attempts } from "../src/attempts.ts";
import { Metrics } from "../src/metrics.ts";
import { Resilience } from "../src/resilience.ts";
import { type Placement, parseRoutingTable, type RoutingTable } from "../src/routing-table.ts";

/** A valid table in which each placement is reached by its own name; `spare` is the default. */
export function tableOf(placements: Readonly<Record<string, object>>, top: object = {}): RoutingTable {
  const urls = Object.keys(placements).map((name, at) => [name, `http://127.0.0.1:${9001 + at}`] as const);
  const result = parseRoutingTable({
    version: "1",
    defaultPlacement: "spare",
    routingTable: Object.fromEntries(urls.map(([name]) => [name, name])),
    placements: {
      spare: { kind: "tier", url: "http://127.0.0.1:9999" },
      ...Object.fromEntries(urls.map(([name, url]) => [name, { kind: "tier", url, ...placements[name] }])),
    },
    ...top,
  });
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

export function placementOf(table: RoutingTable, name: string): Placement {
  const placement = table.placements.get(name);
  if (placement === undefined) throw new Error(`There is no placement "${name}"`);
  return placement;
}

export const complete = (status = 200): AttemptResult => ({ kind: "complete", status });

/** A failed attempt at a cell that got the request. */
export function broken(changes: Partial<AttemptResult & { kind: "failed" }> = {}): AttemptResult {
  const failure = { cause: "UND_ERR_SOCKET", headSent: false, staleConnection: false, sent: true } as const;
  return { kind: "failed", code: "upstream-broken", ...failure, ...changes };
}

export const unreachable = broken({ code: "upstream-unreachable", cause: "ECONNREFUSED", sent: false });

/** What a cell does with one attempt: a status is the head of a response, which may be discarded. */
export type Behaviour = number | AttemptResult;

/** A router's resilience around cells that are told what to do. */
export class Bench {
  readonly clock = new FakeClock(1000);
  readonly unhealthy = new Set<string>();
  readonly breakerEvents: string[] = [];
  /** Who was attempted, in order. */
  readonly sent: string[] = [];
  readonly resilience = new Resilience({
    isHealthy: (name) => !this.unhealthy.has(name),
    onBreaker: (name, to, from) => this.breakerEvents.push(`${name}: ${from.kind} → ${to.kind}`),
  });
  readonly metrics = new Metrics({
    guards: () => this.resilience.guards(),
    isHealthy: (name) => !this.unhealthy.has(name),
    now: () => this.clock.now(),
    linesDropped: () => 0,
  });
  readonly attempts = new Attempts({
    resilience: this.resilience,
    metrics: this.metrics,
    clock: this.clock,
    random: () => 0.5,
  });
  table: RoutingTable;

  constructor(placements: Readonly<Record<string, object>>, top: object = {}) {
    this.table = tableOf(placements, top);
    this.resilience.update(this.table, this.clock.now());
  }

  request(changes: Partial<AttemptedRequest> = {}): AttemptedRequest {
    const clientLeft = () => new AbortController().signal;
    const startedAtMs = this.clock.now();
    return {
      method: "GET",
      hasBody: false,
      startedAtMs,
      isAnswered: () => false,
      clientLeft,
      retries: 0,
      ...changes,
    };
  }

  /** Runs a request to `origin`; each attempt takes the next behaviour of its cell, the last one for ever. */
  async run(origin: string, cells: Readonly<Record<string, readonly Behaviour[]>>, request = this.request()) {
    const left = new Map(Object.entries(cells).map(([name, each]) => [name, [...each]]));
    const running = this.attempts.run(
      request,
      this.table,
      placementOf(this.table, origin),
      (target, shouldForward) => {
        this.sent.push(target.name);
        const behaviours = left.get(target.name) ?? [];
        const next = (behaviours.length > 1 ? behaviours.shift() : behaviours[0]) ?? 200;
        if (typeof next !== "number") return Promise.resolve(next);
        return Promise.resolve<AttemptResult>(
          shouldForward(next) ? complete(next) : { kind: "discarded", status: next },
        );
      },
    );
    await this.clock.advance(9_000);
    return { ...(await running), request };
  }

  guard(name: string) {
    return this.resilience.guard(placementOf(this.table, name));
  }

  breaker(name: string) {
    return this.guard(name).breaker?.state(this.clock.now());
  }

  balance(name: string): number {
    return this.guard(name).budget.balance;
  }

  inFlight(name: string): number {
    return this.guard(name).limit.inFlight;
  }
}
