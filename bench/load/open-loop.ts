// Open loop: requests leave at a fixed rate whether or not earlier ones were answered, as users send them.
import { join } from "node:path";
import type { LoadResult } from "./load-result.ts";
import { requestHeaders, requestPath } from "./request.ts";
import { runToEnd } from "./run-to-end.ts";

export type OpenLoopOptions = {
  readonly connections: number;
  /** Requests a second, over all connections. */
  readonly rate: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
};

/** Runs the pacer in a process of its own, so that nothing else delays it. */
export async function runOpenLoop(url: string, options: OpenLoopOptions): Promise<LoadResult> {
  const { connections, rate, seconds, signal } = options;
  const job = JSON.stringify({ url, path: requestPath, headers: requestHeaders, connections, rate, seconds });
  const script = join(import.meta.dirname, "pacer-process.ts");
  return JSON.parse(await runToEnd(process.execPath, [script, job], { seconds, signal })) as LoadResult;
}
