// Finds the connection that ended a router: makes the last ones before the end again, each alone on a fresh router, and
// where no one of them does it alone, looks for a short sequence that does.

import type { Recorded } from "./lanes.ts";
import { timesOver } from "./options.ts";
import { runChaos } from "./run.ts";
import type { RunOptions, RunResult, Told } from "./run-result.ts";

export interface Culprit {
  readonly sequence: readonly Recorded[];
  readonly result: RunResult;
}

/** Older ones have had their effect. */
const windowMs = 1_500;
const mostAlone = 20;
/** Most faults need the router to be busy at the wrong moment: one connection is made as often, at once. */
const timesAlone = 12;
const mostTrials = 30;
/** Of the whole search. A trial takes longer than its connections where the router does not end by them. */
const mostSearchMs = 120_000;
/** Within a trial: a fresh router has nothing to come back from. */
const recoveryMs = 10_000;

/** The connections that could have done it, the last first. */
export function suspects({ latest, death, startedAtMs }: RunResult): number[] {
  if (death === undefined) return [];
  // A router that hangs is noticed late: it was well when it was last heard.
  const lastHeardAtMs = Math.max(...latest.map((each) => each.lastHeardAtMs ?? 0));
  const endedAtMs = death.isStall ? lastHeardAtMs + 50 : startedAtMs + death.afterMs;
  const isOfInterest = ({ startedAtMs, lastActAtMs, sentBytes, ending }: Told) =>
    lastActAtMs > endedAtMs - windowMs &&
    startedAtMs < endedAtMs &&
    sentBytes > 0 &&
    !ending.includes("ECONNREFUSED");
  return likelyFirst(latest.filter(isOfInterest)).map(({ number }) => number);
}

/** Most routers that end do so because somebody has just left; a reset does the same each time it is made again. */
export function likelyFirst(connections: readonly Told[]): readonly Told[] {
  const order = [/^reset/, /^(closed after|left|half-closed)/, /^/];
  const rank = ({ ending }: Told) => order.findIndex((each) => each.test(ending));
  return connections.toSorted((a, b) => rank(a) - rank(b));
}

/** Undefined when the router does not end again, or not in time: something else was part of it. */
export async function findCulprit(
  options: RunOptions,
  result: RunResult,
  tell: (line: string) => void,
  searchMs = mostSearchMs,
): Promise<Culprit | undefined> {
  const numbers = suspects(result);
  if (numbers.length === 0) return undefined;
  let trials = mostTrials;
  const untilMs = performance.now() + searchMs;
  const isLate = () => performance.now() > untilMs;
  const again = async (sequence: readonly Recorded[]): Promise<Culprit | undefined> => {
    if (isLate()) return undefined;
    const replayed = await runChaos({
      ...options,
      sequence,
      seconds: 6,
      cleanClients: 0,
      withAftermath: false,
      recoveryMs,
    });
    return replayed.death === undefined ? undefined : { sequence, result: replayed };
  };
  tell(`Looking for the connection that did it, among the last ${numbers.length} …`);
  for (const number of numbers.slice(0, mostAlone)) {
    const found = await again(timesOver(number, timesAlone));
    if (found !== undefined) return found;
  }
  const starts = result.latest.filter(({ number }) => numbers.includes(number));
  const firstMs = Math.min(...starts.map(({ startedAtMs }) => startedAtMs));
  const all = starts
    .map(({ number, startedAtMs }) => ({ number, atMs: Math.round(startedAtMs - firstMs) }))
    .sort((a, b) => a.atMs - b.atMs);
  let best: Culprit | undefined;
  for (let left = 3; left > 0 && best === undefined; left--) best = await again(all);
  if (best === undefined) {
    if (isLate()) tell(`Not found within ${searchMs / 1000} s.`);
    return undefined;
  }
  tell(`Together they do it: looking for fewer of them …`);
  for (let size = Math.ceil(best.sequence.length / 2); size >= 1 && trials > 0; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.sequence.length && trials > 0; trials--) {
      const fewer: Recorded[] = best.sequence.toSpliced(at, size);
      const found: Culprit | undefined = fewer.length === 0 ? undefined : await again(fewer);
      if (found === undefined) at += size;
      else best = found;
    }
  }
  return best;
}
