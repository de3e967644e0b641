// What stands under a scene: for each slice of time how many requests ended well, how long they took, and how many were
// under way. Computed from the trips, so that it cannot tell another story than the dots.

import { isMessage, type Trip } from "./trips.ts";

export interface Slice {
  readonly fromMs: number;
  /** Share of the requests that ended well, of those that ended in this slice; undefined where none ended. */
  readonly successRatio: number | undefined;
  /** Median time of those that ended well: an error at once would look like a quick response. */
  readonly latencyMs: number | undefined;
  /** Requests under way at the end of the slice. */
  readonly inFlight: number;
}

/** @param culprits Those whose requests count as in flight only: it is the others whose luck is asked for. */
export function timelineOf(
  trips: readonly Trip[],
  durationMs: number,
  sliceMs: number,
  culprits: ReadonlySet<string> = new Set(),
): Slice[] {
  const count = Math.ceil(durationMs / sliceMs);
  const ended: Trip[][] = Array.from({ length: count }, () => []);
  const changes = Array.from({ length: count }, () => 0);
  for (const trip of trips) {
    if (isMessage(trip)) continue;
    const first = Math.floor(trip.startMs / sliceMs);
    changes[first] = (changes[first] ?? 0) + 1;
    if (trip.result === "under way") continue;
    const last = Math.min(count - 1, Math.floor(trip.endMs / sliceMs));
    if (!culprits.has(trip.owner)) ended[last]?.push(trip);
    changes[last] = (changes[last] ?? 0) - 1;
  }
  let inFlight = 0;
  return ended.map((mine, index) => {
    inFlight += changes[index] ?? 0;
    const good = mine.filter(({ result }) => result === "good");
    const times = good.map(({ startMs, endMs }) => endMs - startMs).sort((a, b) => a - b);
    return {
      fromMs: index * sliceMs,
      successRatio: mine.length === 0 ? undefined : good.length / mine.length,
      latencyMs: times[Math.floor(times.length / 2)],
      inFlight,
    };
  });
}

/** Requests of a recording, by what became of them. */
export function totals(trips: readonly Trip[]): { readonly good: number; readonly bad: number } {
  const requests = trips.filter((trip) => !isMessage(trip) && trip.result !== "under way");
  const good = requests.filter(({ result }) => result === "good").length;
  return { good, bad: requests.length - good };
}
