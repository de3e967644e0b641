// `npm run bench -- rungs`: what each step of m5's rewrite saves. m5 runs beside copies of itself that each lack one step, and
// beside m4 and nginx, so that the whole story comes from one run.
import { exitCode, takeReport } from "./bench-compare.ts";
import { deliver } from "./deliver.ts";
import { select } from "./lineup.ts";
import type { BenchOptions } from "./options.ts";
import { rungContenders } from "./rung-contenders.ts";
import { noise } from "./rungs.ts";
import { renewReadme, rungsFile } from "./rungs-readme.ts";
import { formatRungs, reportRungs } from "./rungs-report.ts";

export async function benchRungs(options: BenchOptions): Promise<number> {
  const rungs = options.only ?? rungContenders.filter(({ name }) => name !== noise);
  const nothing = rungContenders.filter(({ name }) => name === noise);
  const only = [...select(["m4", "m5", "nginx"]), ...new Set([...nothing, ...rungs])];
  const report = await takeReport({ ...options, only, cpuOnly: true });
  deliver(options, reportRungs(report), formatRungs(report));
  if (options.out === rungsFile) renewReadme();
  return exitCode(report);
}
