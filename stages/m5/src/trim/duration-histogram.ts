// Shows tallied durations as a Prometheus histogram. prom-client's own histogram takes one duration at a time, with its
// labels; all that a registry asks of a metric is what `get` returns.

import type { Histogram, MetricObject } from "prom-client";
import { durationBounds, type Tallies } from "./tallies.ts";

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

type Samples = Pick<MetricObject, "name" | "help" | "aggregator"> & {
  readonly type: string;
  readonly values: readonly Sample[];
};

export class DurationHistogram {
  readonly name: string;
  readonly help: string;
  readonly #tallies: Tallies;

  constructor(name: string, help: string, tallies: Tallies) {
    this.name = name;
    this.help = help;
    this.#tallies = tallies;
  }

  /** Each bucket counts what the smaller ones count too, as Prometheus wants them. */
  async get(): Promise<Samples> {
    const { name, help } = this;
    const values: Sample[] = [];
    for (const [placement, { durations, durationSum }] of this.#tallies) {
      let count = 0;
      const buckets = durations.map((inBucket, at): Sample => {
        count += inBucket;
        return {
          metricName: `${name}_bucket`,
          labels: { le: durationBounds[at] ?? "+Inf", placement },
          value: count,
        };
      });
      if (count === 0) continue;
      values.push(...buckets, { metricName: `${name}_sum`, labels: { placement }, value: durationSum });
      values.push({ metricName: `${name}_count`, labels: { placement }, value: count });
    }
    return { name, help, type: "histogram", aggregator: "sum", values };
  }

  /** The same, for a registry. */
  asMetric(): Histogram {
    return this as unknown as Histogram;
  }
}
