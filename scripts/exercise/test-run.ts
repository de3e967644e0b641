// Runs the tests of assembled answers in one vitest process, and ends that process when the code under test
// no longer returns. It reports what happened; what that means for a learner is `verdict.ts`.

import {
  type DisposableTempDir,
  existsSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunResults } from "../../exercises/support/result-reporter.ts";
import { Program } from "../../shared/testkit/program.ts";
import { type RunOutcome, stillRunning, type TraceEvent } from "./run-outcome.ts";

/** The clone that holds these scripts: its vitest runs, whichever tree the exercises come from. */
const ownRoot = fileURLToPath(new URL("../..", import.meta.url));

export interface RunLimits {
  /** Longest time without a test starting or ending, once the first file loads. @default 8_000 */
  readonly stallMs?: number;
  /** Longest time until the first file loads: the machine may be busy. @default 60_000 */
  readonly startMs?: number;
}

/**
 * Makes an empty folder for a run, which goes when it is disposed of: assemble below `once/` what runs once, below `repeated/` what runs 20 times.
 * Inside the clone, because the code under test imports packages.
 */
export function makeRunFolder(root: string): DisposableTempDir {
  const base = join(root, ".state", "exercise-runs");
  mkdirSync(base, { recursive: true });
  // What a run that was killed left behind. No run lasts an hour.
  for (const name of readdirSync(base)) {
    const old = join(base, name);
    const { mtimeMs } = statSync(old, { throwIfNoEntry: false }) ?? { mtimeMs: Number.POSITIVE_INFINITY };
    if (mtimeMs < Date.now() - 3_600_000) rmSync(old, { recursive: true, force: true });
  }
  return mkdtempDisposableSync(join(base, "run-"));
}

/** Runs every test file below `folder`. Resolves when the process has ended; rejects only if it cannot be started. */
export async function runTests(folder: string, limits: RunLimits = {}): Promise<RunOutcome> {
  const { stallMs = 8_000, startMs = 60_000 } = limits;
  const vitest = startVitest(folder);
  const watch = watchForStall(folder, stallMs, startMs, () => vitest.signal("SIGKILL"));
  await vitest.exited.finally(watch.stop);
  const resultsFile = join(folder, "results.json");
  if (existsSync(resultsFile)) {
    return { kind: "finished", results: JSON.parse(readFileSync(resultsFile, "utf8")) as RunResults };
  }
  const running = stillRunning(readTrace(folder));
  return watch.fired()
    ? { kind: "stalled", stallMs, running }
    : { kind: "crashed", running, output: vitest.lastLines().join("\n") };
}

function startVitest(folder: string): Program {
  const vitest = join(ownRoot, "node_modules", "vitest", "vitest.mjs");
  const config = join(ownRoot, "exercises", "vitest.config.ts");
  const guard = new URL("../exit-with-parent.ts", import.meta.url).href;
  // Vitest marks its workers with these; a run that a test starts is not one of them.
  const marks = Object.keys(process.env).filter((name) => name.startsWith("VITEST"));
  return new Program({
    name: "the tests of the exercise",
    command: process.execPath,
    args: ["--import", guard, vitest, "run", "--config", config],
    cwd: ownRoot,
    env: {
      ...Object.fromEntries(marks.map((name) => [name, undefined])),
      EXERCISE_RUN: folder,
      EXIT_WITH_PARENT: String(process.pid),
      NO_COLOR: "1",
      NODE_OPTIONS: "",
    },
    // Closes when this process ends, however it ends: a loop without end must not outlive it.
    lifeline: true,
  });
}

function watchForStall(folder: string, stallMs: number, startMs: number, kill: () => void) {
  const trace = join(folder, "trace.jsonl");
  let size = -1;
  let movedAt = performance.now();
  let hasFired = false;
  const timer = setInterval(() => {
    const now = existsSync(trace) ? statSync(trace).size : -1;
    if (now !== size) {
      size = now;
      movedAt = performance.now();
      return;
    }
    // With the results written, all that is left is to end; what the code left open may prevent that.
    const limitMs = existsSync(join(folder, "results.json")) ? 2_000 : size === -1 ? startMs : stallMs;
    if (performance.now() - movedAt < limitMs) return;
    hasFired = true;
    kill();
  }, 100);
  return { stop: () => clearInterval(timer), fired: () => hasFired };
}

function readTrace(folder: string): TraceEvent[] {
  const trace = join(folder, "trace.jsonl");
  if (!existsSync(trace)) return [];
  const lines = readFileSync(trace, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as TraceEvent);
}
