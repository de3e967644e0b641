// The main measurement: everyone on the same cells, closed loop for the CPU time per request, then open loop for the
// latency, in interleaved rounds. Leaves out starting (lineup.ts) and printing (report.ts).
import { truncateSync } from "node:fs";
import type { Entrant } from "./lineup.ts";
import type { ClosedLoop } from "./load/closed-loop.ts";
import type { LoadResult } from "./load/load-result.ts";
import { runOpenLoop } from "./load/open-loop.ts";
import { readStealMs, readTree } from "./process-tree.ts";
import { rotatedRounds, spread } from "./statistics.ts";

/** What decides about a measurement, whatever is measured. */
export type Measurement = {
  readonly rounds: number;
  /** Measured seconds of a round. */
  readonly seconds: number;
  /** Before a contender's first round; before each later one it is at most one second. 0: none at all. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Requests a second in the open loop; undefined: half the saturation of the slowest proxy in this run. */
  readonly rate: number | undefined;
  /** Leaves the open loop out: half the time, no latencies. */
  readonly cpuOnly: boolean;
  readonly signal: AbortSignal;
};

/** Long enough for V8 to optimise a hot path of a few thousand calls a second. */
export const defaultWarmUpSeconds = 2;

export type CompareOptions = Measurement & {
  readonly closedLoop: ClosedLoop;
  readonly onProgress: (line: string) => void;
};

/** One contender's part of one round. A round with an error is void: its figures are kept, but not used. */
export type Round = LoadResult & {
  readonly round: number;
  readonly phase: "closed" | "open";
  readonly valid: boolean;
  /** CPU time of the proxy's process tree divided by the requests answered, in microseconds; undefined for `direct`. */
  readonly cpuUsPerRequest: number | undefined;
  /** Time the hypervisor withheld during the round, in milliseconds. */
  readonly stealMs: number;
};

export type Measured = {
  readonly entrant: Entrant;
  readonly rounds: readonly Round[];
  /** High-water mark of resident memory over the whole run, in MiB; undefined for `direct`. */
  readonly peakRssMiB: number | undefined;
};

export type Comparison = { readonly measured: readonly Measured[]; readonly rate: number };

// The closed loop's rounds have warmed everything; two thirds as many keep the default run near three minutes.
const openRounds = (rounds: number): number => Math.ceil((rounds * 2) / 3);

/** What the others' rounds have pushed out of the caches comes back in a second. */
const maxRoundWarmUpSeconds = 1;

export async function compare(entrants: readonly Entrant[], options: CompareOptions): Promise<Comparison> {
  const { rounds, warmUpSeconds } = options;
  const results = new Map<Entrant, Round[]>(entrants.map((entrant) => [entrant, []]));
  for (const { contender, running } of entrants) {
    options.onProgress(`warm-up ${contender.name}`);
    await warmUp(running.url, warmUpSeconds, options);
  }
  for (const [round, order] of rotatedRounds(entrants, rounds).entries()) {
    for (const entrant of order) {
      options.onProgress(`closed loop, round ${round + 1} of ${rounds}: ${entrant.contender.name}`);
      results.get(entrant)?.push(await closedRound(entrant, round, options));
    }
  }
  const rate = options.rate ?? halfOfTheSlowest(results);
  for (const [round, order] of rotatedRounds(entrants, options.cpuOnly ? 0 : openRounds(rounds)).entries()) {
    for (const entrant of order) {
      options.onProgress(`${rate} requests/s, round ${round + 1}: ${entrant.contender.name}`);
      results.get(entrant)?.push(await openRound(entrant, round, rate, options));
    }
  }
  const measured = entrants.map((entrant) => {
    const { pid } = entrant.running;
    const peakRssMiB = pid === undefined ? undefined : readTree(pid).peakRssKiB / 1024;
    return { entrant, rounds: results.get(entrant) ?? [], peakRssMiB };
  });
  return { measured, rate };
}

async function warmUp(url: string, seconds: number, options: CompareOptions): Promise<void> {
  const { connections, signal, closedLoop } = options;
  if (seconds > 0) await closedLoop.run(url, { connections, seconds, signal });
}

async function closedRound(entrant: Entrant, round: number, options: CompareOptions): Promise<Round> {
  const { connections, seconds, warmUpSeconds, signal, closedLoop } = options;
  const { url } = entrant.running;
  await warmUp(url, Math.min(warmUpSeconds, maxRoundWarmUpSeconds), options);
  const load = () => closedLoop.run(url, { connections, seconds, signal });
  return { ...(await account(entrant, load)), round, phase: "closed" };
}

async function openRound(
  entrant: Entrant,
  round: number,
  rate: number,
  options: CompareOptions,
): Promise<Round> {
  const { connections, seconds, signal } = options;
  const { url } = entrant.running;
  const load = () => runOpenLoop(url, { connections, rate, seconds, signal });
  return { ...(await account(entrant, load)), round, phase: "open" };
}

/** Runs a load and charges the proxy's CPU time to the requests answered in it. */
async function account(
  { running: { pid, logPath } }: Entrant,
  load: () => Promise<LoadResult>,
): Promise<Omit<Round, "round" | "phase">> {
  // The log is opened for appending: emptying it keeps the disk out of the measurement without a pause.
  if (logPath !== undefined) truncateSync(logPath);
  const [stealBefore, before] = [readStealMs(), pid === undefined ? 0 : readTree(pid).cpuMs];
  const result = await load();
  const cpuMs = pid === undefined ? undefined : readTree(pid).cpuMs - before;
  return {
    ...result,
    valid: result.errors === 0 && result.requests > 0,
    cpuUsPerRequest: cpuMs === undefined ? undefined : (cpuMs * 1000) / Math.max(1, result.requests),
    stealMs: readStealMs() - stealBefore,
  };
}

/** One rate for all, so that latencies compare: half of what the slowest proxy answered in the closed loop. */
function halfOfTheSlowest(results: ReadonlyMap<Entrant, readonly Round[]>): number {
  const rates: number[] = [];
  for (const [{ running }, rounds] of results) {
    const valid = rounds.filter((round) => round.valid).map((round) => round.requests / round.seconds);
    if (running.pid !== undefined && valid.length > 0) rates.push(spread(valid).median);
  }
  return rates.length === 0 ? 1_000 : Math.max(100, Math.round(Math.min(...rates) / 2));
}
