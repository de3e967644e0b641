// What a run of an exercise's tests can come to, wherever they ran: in the terminal's test process, or in a worker of the
// page. Pure, because the page reads it too.

import type { ModuleResult, RunResults } from "../../exercises/support/result-reporter.ts";

export type RunOutcome =
  | { readonly kind: "finished"; readonly results: RunResults }
  /** The run was ended: nothing had moved for `stallMs`. `running` is what had begun and not ended. */
  | { readonly kind: "stalled"; readonly stallMs: number; readonly running: readonly TraceEvent[] }
  /** The run ended by itself without results: out of memory, or a fault of ours. */
  | { readonly kind: "crashed"; readonly running: readonly TraceEvent[]; readonly output: string };

export interface TraceEvent {
  readonly event: "load" | "start" | "end";
  /** Absolute path of the assembled test file. */
  readonly file: string;
  readonly title: string;
}

/** The result of one assembled test file's folder, all its modules together. */
export function modulesBelow(results: RunResults, folder: string): ModuleResult[] {
  const prefix = `${forward(folder)}/`;
  return results.modules.filter((module) => module.file.startsWith(prefix));
}

/** The last event of each file whose last test began and did not end. */
export function stillRunning(events: readonly TraceEvent[]): TraceEvent[] {
  const lastByFile = new Map(events.map((event) => [event.file, event]));
  return [...lastByFile.values()].filter((event) => event.event !== "end");
}

/** A path with forward slashes, relative to `root` where it lies below it. */
export function pathFrom(root: string, file: string): string {
  const base = `${forward(root)}/`;
  const path = forward(file);
  return path.startsWith(base) ? path.slice(base.length) : path;
}

function forward(path: string): string {
  return path.replaceAll("\\", "/");
}
