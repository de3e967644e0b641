// Closed loop: a fixed number of connections, each sending its next request when it has its response. Finds the
// saturation and the CPU cost; its latencies say nothing about a user's, since a slow proxy is asked less often.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadResult } from "./load-result.ts";
import { requestHeaders, requestPath } from "./request.ts";
import { runToEnd } from "./run-to-end.ts";

export type ClosedLoop = {
  readonly name: string;
  readonly run: (url: string, options: ClosedLoopOptions) => Promise<LoadResult>;
};

export type ClosedLoopOptions = {
  readonly connections: number;
  /** Whole seconds: wrk takes no others. */
  readonly seconds: number;
  readonly signal: AbortSignal;
};

/** wrk where it is installed, since it costs a quarter of autocannon's CPU time; else autocannon in its own process. */
export function chooseClosedLoop(): ClosedLoop {
  const { stdout, error } = spawnSync("wrk", ["-v"], { encoding: "utf8" });
  if (error !== undefined) return autocannon();
  return { name: `wrk ${/\d+(\.\d+)+/.exec(stdout)?.[0] ?? ""}`.trim(), run: runWrk };
}

async function runWrk(url: string, { connections, seconds, signal }: ClosedLoopOptions): Promise<LoadResult> {
  const headers = Object.entries(requestHeaders).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const script = join(import.meta.dirname, "wrk-report.lua");
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "5s", "-s", script, ...headers];
  const output = await runToEnd("wrk", [...args, `${url}${requestPath}`], { seconds, signal });
  return parseWrk(output);
}

/** Reads the JSON line of wrk-report.lua. @throws Error when there is none. */
export function parseWrk(output: string): LoadResult {
  const json = /^JSON(\{.*\})$/m.exec(output)?.[1];
  if (json === undefined) throw new Error(`wrk reported nothing: ${output.trim().slice(-300)}`);
  const wrk = JSON.parse(json) as Record<string, number>;
  const number = (name: string) => wrk[name] ?? 0;
  const errors = ["connect", "read", "write", "status", "timeout"].reduce(
    (sum, name) => sum + number(name),
    0,
  );
  return {
    requests: number("requests"),
    seconds: number("durationUs") / 1e6,
    errors,
    p50Ms: number("p50Us") / 1e3,
    p99Ms: number("p99Us") / 1e3,
    maxMs: number("maxUs") / 1e3,
  };
}

function autocannon(): ClosedLoop {
  const file = join(import.meta.dirname, "..", "..", "node_modules", "autocannon", "package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return {
    name: `autocannon ${version}`,
    async run(url, { connections, seconds, signal }) {
      const job = JSON.stringify({
        url: `${url}${requestPath}`,
        connections,
        seconds,
        headers: requestHeaders,
      });
      const script = join(import.meta.dirname, "autocannon-process.ts");
      return JSON.parse(await runToEnd(process.execPath, [script, job], { seconds, signal })) as LoadResult;
    },
  };
}
