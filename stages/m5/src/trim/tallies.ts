// Counts of requests as plain numbers, kept by placement. Adding one up costs a look-up and an addition; their names and
// labels are put together when somebody asks for them, in `metrics.ts`.

import type { Outcome } from "../access-log.ts";
import type { AttemptOutcome } from "../circuit-breaker.ts";

/** Upper bounds of the buckets of durations, in seconds; a last one has no bound. */
export const durationBounds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

const outcomes: readonly Outcome[] = ["complete", "client-aborted", "upstream-failed"];
const statusClasses = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

// #region tallies
/** What one placement has counted since the start. */
export class Tally {
  readonly attempts = { success: 0, failure: 0, abandoned: 0 } satisfies Record<AttemptOutcome, number>;
  retries = 0;
  /** Sum of all durations, in seconds. */
  durationSum = 0;
  /** Durations by bucket, each counted in the first that holds it; the last has no bound. */
  readonly durations: number[] = Array.from({ length: durationBounds.length + 1 }, () => 0);
  readonly #requests: number[] = Array.from({ length: statusClasses.length * outcomes.length }, () => 0);

  request(status: number, outcome: Outcome): void {
    const statusClass = Math.min(statusClasses.length - 1, Math.floor(status / 100));
    const at = statusClass * outcomes.length + outcomes.indexOf(outcome);
    this.#requests[at] = (this.#requests[at] ?? 0) + 1;
  }

  duration(seconds: number): void {
    let bucket = 0;
    while (bucket < durationBounds.length && seconds > (durationBounds[bucket] as number)) bucket++;
    this.durations[bucket] = (this.durations[bucket] ?? 0) + 1;
    this.durationSum += seconds;
  }

  /** Every kind of request that has been seen. */
  *requests(): Iterable<{ readonly status: string; readonly outcome: Outcome; readonly count: number }> {
    for (const [at, count] of this.#requests.entries()) {
      const status = statusClasses[Math.floor(at / outcomes.length)];
      const outcome = outcomes[at % outcomes.length];
      if (count > 0 && status !== undefined && outcome !== undefined) yield { status, outcome, count };
    }
  }
}

/** The tallies of all placements that have been seen. */
export class Tallies implements Iterable<[placement: string, tally: Tally]> {
  readonly #byPlacement = new Map<string, Tally>();

  of(placement: string): Tally {
    const known = this.#byPlacement.get(placement);
    if (known !== undefined) return known;
    const tally = new Tally();
    this.#byPlacement.set(placement, tally);
    return tally;
  }

  [Symbol.iterator](): Iterator<[string, Tally]> {
    return this.#byPlacement[Symbol.iterator]();
  }
}
// #endregion tallies
