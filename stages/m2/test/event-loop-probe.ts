// Loaded into a router with `--import`: on SIGUSR2 it prints how long the event loop was held up since the last time.
// `busiestMs` is processor time of the main thread between two turns of a 1 ms timer, so other processes on the machine do not
// count; `longestDelayMs` is what requests waited, whoever was to blame.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const resolutionMs = 1;

if (isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  let busiestMs = 0;
  let usedMs = cpuMs();
  setInterval(() => {
    const now = cpuMs();
    busiestMs = Math.max(busiestMs, now - usedMs);
    usedMs = now;
  }, resolutionMs).unref();

  process.on("SIGUSR2", () => {
    const longestDelayMs = delays.max / 1e6;
    process.stdout.write(`${JSON.stringify({ event: "event-loop", busiestMs, longestDelayMs })}\n`);
    delays.reset();
    busiestMs = 0;
  });
}

/** Processor time that this thread has used. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
