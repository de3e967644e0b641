// The closed loop where wrk is not installed: autocannon in a process of its own. Prints one LoadResult as JSON.
import { createRequire } from "node:module";
import type { LoadResult } from "./load-result.ts";

type Job = {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly headers: Record<string, string>;
};

/** The part of autocannon's report that is read here; the package ships no types. */
type Report = {
  readonly "2xx": number;
  readonly non2xx: number;
  readonly errors: number;
  readonly duration: number;
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
};

const autocannon = createRequire(import.meta.url)("autocannon") as (options: object) => Promise<Report>;
const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const report = await autocannon({
  url: job.url,
  connections: job.connections,
  duration: job.seconds,
  headers: job.headers,
  timeout: 5,
});
const result: LoadResult = {
  requests: report["2xx"],
  seconds: report.duration,
  errors: report.errors + report.non2xx,
  p50Ms: report.latency.p50,
  p99Ms: report.latency.p99,
  maxMs: report.latency.max,
};
console.log(JSON.stringify(result));
