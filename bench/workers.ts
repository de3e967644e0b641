// `npm run bench -- workers`: requests a second and CPU time a request with one worker and with two, for the proxies that have
// workers. On a machine of two cores the load and the cell take their share of both: read it as a trend.
import { benchCompare } from "./bench-compare.ts";
import type { Contender } from "./contender.ts";
import { select } from "./lineup.ts";
import type { BenchOptions } from "./options.ts";

const counts = [1, 2] as const;

function withWorkers(contender: Contender, workers: number): Contender {
  const about = contender.about.replace(/ 1 (worker|thread)/, ` ${workers} $1${workers === 1 ? "" : "s"}`);
  const start: Contender["start"] = (context) => contender.start({ ...context, workers });
  return { ...contender, name: `${contender.name}-x${workers}`, about, start };
}

export async function benchWorkers(options: BenchOptions): Promise<number> {
  const chosen = options.only ?? select(["m5", "nginx", "haproxy"]);
  const only = [...chosen, ...options.also].flatMap((contender) =>
    counts.map((count) => withWorkers(contender, count)),
  );
  return benchCompare({ ...options, only, also: [], cpuOnly: true });
}
