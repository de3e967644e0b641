// What the router counts, for Prometheus. Every label is a placement of the table or a word of a fixed list: a label
// made of what clients send, such as the routing key, would grow the memory with every key that somebody invents.

import { type Aggregator, Counter, Gauge, type MetricObject, Registry } from "prom-client";
import type { AccessEntry } from "./access-log.ts";
import type { Guard } from "./resilience.ts";
import { DurationHistogram } from "./trim/duration-histogram.ts";
import { Tallies } from "./trim/tallies.ts";

export interface MetricsOptions {
  readonly guards: () => Iterable<[placement: string, guard: Guard]>;
  readonly isHealthy: (placement: string) => boolean;
  readonly now: () => number;
  readonly linesDropped: () => number;
  /** This process among the workers of the router, and how late it was at worst of late. */
  readonly worker?: () => string;
  readonly eventLoopDelayMs?: () => number;
}

const breakerValue = { closed: 0, "half-open": 1, open: 2 } as const;

// #region metrics
export class Metrics {
  readonly #registry = new Registry();
  /** In plain numbers: prom-client puts labels together and looks them up at each count. */
  readonly #tallies = new Tallies();
  readonly #refusals = this.#counter("refusals_total", "Responses that the router made itself, by code.", [
    "code",
  ]);
  readonly #failovers = this.#counter("failovers_total", "Requests served elsewhere.", [
    "from",
    "to",
    "reason",
  ]);

  constructor(options: MetricsOptions) {
    countDroppedLines(this.#registry, options.linesDropped);
    this.#tallied();
    this.#gauge("in_flight", "Requests in flight by placement.", options, ({ limit }) => limit.inFlight);
    this.#gauge(
      "healthy",
      "1 while the active health check says so.",
      options,
      (_, placement) => (options.isHealthy(placement) ? 1 : 0),
      "min",
    );
    this.#gauge(
      "breaker_state",
      "0 closed, 1 half-open, 2 open.",
      options,
      ({ breaker }) => (breaker === undefined ? undefined : breakerValue[breaker.state(options.now()).kind]),
      "max",
    );
    this.#eventLoopDelay(options);
  }

  /** A worker that is starved, by its own code or by its neighbours on the machine, is late for every request. */
  #eventLoopDelay({ worker = () => "0", eventLoopDelayMs }: MetricsOptions): void {
    if (eventLoopDelayMs === undefined) return;
    new Gauge({
      aggregator: "max",
      name: "cell_router_event_loop_delay_seconds",
      help: "How late timers were at worst in the last ten seconds.",
      labelNames: ["worker"],
      registers: [this.#registry],
      collect() {
        this.reset();
        this.set({ worker: worker() }, eventLoopDelayMs() / 1000);
      },
    });
  }

  /** All counts as objects, to be added up with those of other workers. */
  json(): Promise<MetricObject[]> {
    return this.#registry.getMetricsAsJSON();
  }

  /** The text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  readonly requestEnded = (entry: AccessEntry): void => {
    const { placement = "none", status, outcome, code, durationMs } = entry;
    const tally = this.#tallies.of(placement);
    tally.request(status, outcome);
    if (code !== undefined) this.#refusals.inc({ code });
    if (placement !== "none") tally.duration(durationMs / 1000);
    if (entry.servedBy !== undefined && entry.failoverReason !== undefined) {
      this.#failovers.inc({ from: placement, to: entry.servedBy, reason: entry.failoverReason });
    }
  };

  attemptEnded(placement: string, result: "success" | "failure" | "abandoned"): void {
    this.#tallies.of(placement).attempts[result] += 1;
  }

  retried(placement: string): void {
    this.#tallies.of(placement).retries += 1;
  }

  /** The numbers of `trim/tallies.ts`, named when somebody asks for them. */
  #tallied(): void {
    this.#counter(
      "requests_total",
      "Requests by the placement routed to.",
      ["placement", "status", "outcome"],
      (counter) => {
        for (const [placement, tally] of this.#tallies) {
          for (const { count, ...labels } of tally.requests()) counter.inc({ placement, ...labels }, count);
        }
      },
    );
    this.#counter("attempts_total", "Attempts at cells.", ["placement", "result"], (counter) => {
      for (const [placement, { attempts }] of this.#tallies) {
        for (const [result, count] of Object.entries(attempts))
          if (count > 0) counter.inc({ placement, result }, count);
      }
    });
    this.#counter("retries_total", "Retries by placement.", ["placement"], (counter) => {
      for (const [placement, { retries }] of this.#tallies)
        if (retries > 0) counter.inc({ placement }, retries);
    });
    const durations = new DurationHistogram(
      "cell_router_request_duration_seconds",
      "Time from a request's head to the end of its response.",
      this.#tallies,
    );
    this.#registry.registerMetric(durations.asMetric());
  }

  #counter<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    /** Counts everything anew, for what is counted elsewhere. */
    recount?: (counter: Counter<Label>) => void,
  ): Counter<Label> {
    const collect = function (this: Counter<Label>): void {
      this.reset();
      recount?.(this);
    };
    const collected = recount === undefined ? {} : { collect };
    const registers = [this.#registry];
    return new Counter({ name: `cell_router_${name}`, help, labelNames, registers, ...collected });
  }

  #gauge(
    name: string,
    help: string,
    { guards }: MetricsOptions,
    read: (guard: Guard, placement: string) => number | undefined,
    /** How the values of several workers become one. */
    aggregator: Aggregator = "sum",
  ): void {
    new Gauge({
      aggregator,
      name: `cell_router_${name}`,
      help,
      labelNames: ["placement"],
      registers: [this.#registry],
      // Read when somebody asks: nothing to keep in step, and a placement that is gone leaves no trace.
      collect() {
        this.reset();
        for (const [placement, guard] of guards()) {
          const value = read(guard, placement);
          if (value !== undefined) this.set({ placement }, value);
        }
      },
    });
  }
}
// #endregion metrics

/** Counts, in `registry`, log lines that this process could not write. */
export function countDroppedLines(registry: Registry, linesDropped: () => number): void {
  new Counter({
    name: "cell_router_log_lines_dropped_total",
    help: "Log lines that could not be written.",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(linesDropped());
    },
  });
}
