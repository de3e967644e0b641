// `npm run bench -- workers`: requests per second and CPU time per request with one worker and with two, for the proxies
// that have workers; another one runs once, as it is. On a machine of two cores the load and the cell take their share of
// both: read it as a trend.
import { benchCompare } from "./bench-compare.ts";
import type { Contender } from "./contender.ts";
import { select } from "./lineup.ts";
import type { BenchOptions } from "./options.ts";
import { yardsticks } from "./report.ts";

const counts = [1, 2] as const;

function withWorkers(contender: Contender, workers: number): Contender {
  const about = contender.about.replace(/ 1 (worker|thread)/, ` ${workers} $1${workers === 1 ? "" : "s"}`);
  const start: Contender["start"] = (context) => contender.start({ ...context, workers });
  return { ...contender, name: `${contender.name}-x${workers}`, about, start };
}

/** Each contender with each number of workers. */
export function workersLineup(contenders: readonly Contender[]): Contender[] {
  return contenders.flatMap((contender) =>
    contender.hasWorkers === true ? counts.map((count) => withWorkers(contender, count)) : [contender],
  );
}

export async function benchWorkers(options: BenchOptions): Promise<number> {
  const chosen = options.only ?? select(["m5", "nginx", "haproxy"]);
  const only = workersLineup([...chosen, ...options.also]);
  // What a second worker costs a request is told by the ratio to the first's.
  const ones = only.map(({ name }) => name).filter((name) => name.endsWith("-x1"));
  const against = options.against === yardsticks ? ones : options.against;
  return benchCompare({ ...options, only, also: [], against, cpuOnly: true });
}
