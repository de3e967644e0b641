// What the router counts, for Prometheus. Every label is a placement of the table or a word of a fixed list: a label
// made of what clients send, such as the routing key, would grow the memory with every key that somebody invents.

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { AccessEntry } from "./access-log.ts";
import type { Guard } from "./resilience.ts";

export interface MetricsOptions {
  readonly guards: () => Iterable<[placement: string, guard: Guard]>;
  readonly isHealthy: (placement: string) => boolean;
  readonly now: () => number;
  readonly linesDropped: () => number;
}

const breakerValue = { closed: 0, "half-open": 1, open: 2 } as const;

// #region metrics
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = this.#counter("requests_total", "Requests by the placement routed to.", [
    "placement",
    "status",
    "outcome",
  ]);
  readonly #refusals = this.#counter("refusals_total", "Responses that the router made itself, by code.", [
    "code",
  ]);
  readonly #attempts = this.#counter("attempts_total", "Attempts at cells.", ["placement", "result"]);
  readonly #retries = this.#counter("retries_total", "Retries by placement.", ["placement"]);
  readonly #failovers = this.#counter("failovers_total", "Requests served elsewhere.", [
    "from",
    "to",
    "reason",
  ]);
  readonly #duration = new Histogram({
    name: "cell_router_request_duration_seconds",
    help: "Time from a request's head to the end of its response.",
    labelNames: ["placement"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.#registry],
  });

  constructor(options: MetricsOptions) {
    countDroppedLines(this.#registry, options.linesDropped);
    this.#gauge("in_flight", "Requests in flight by placement.", options, ({ limit }) => limit.inFlight);
    this.#gauge("healthy", "1 while the active health check says so.", options, (_, placement) =>
      options.isHealthy(placement) ? 1 : 0,
    );
    this.#gauge("breaker_state", "0 closed, 1 half-open, 2 open.", options, ({ breaker }) =>
      breaker === undefined ? undefined : breakerValue[breaker.state(options.now()).kind],
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  readonly requestEnded = (entry: AccessEntry): void => {
    const { placement = "none", status, outcome, code, durationMs } = entry;
    this.#requests.inc({ placement, status: `${Math.floor(status / 100)}xx`, outcome });
    if (code !== undefined) this.#refusals.inc({ code });
    if (placement !== "none") this.#duration.observe({ placement }, durationMs / 1000);
    if (entry.servedBy !== undefined && entry.failoverReason !== undefined) {
      this.#failovers.inc({ from: placement, to: entry.servedBy, reason: entry.failoverReason });
    }
  };

  attemptEnded(placement: string, result: "success" | "failure" | "abandoned"): void {
    this.#attempts.inc({ placement, result });
  }

  retried(placement: string): void {
    this.#retries.inc({ placement });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name: `cell_router_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge(
    name: string,
    help: string,
    { guards }: MetricsOptions,
    read: (guard: Guard, placement: string) => number | undefined,
  ): void {
    new Gauge({
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
