// What the bench knows of a proxy under test. Leaves out how each one starts (stages.ts, peers/*.ts).
import { spawnSync } from "node:child_process";
import type { Cells } from "./routes.ts";

export type StartContext = {
  readonly cells: Cells;
  /** A directory of its own for configuration, state and output; removed at the end. */
  readonly directory: string;
  /** Worker processes or threads, where the proxy has them. */
  readonly workers: number;
  /** Extra arguments for Node itself (a profiler, say); ignored by proxies that are not Node. */
  readonly nodeArgs: readonly string[];
};

export type Running = {
  /** The data port, as an origin. */
  readonly url: string;
  /** The root of its process tree; undefined when there is no proxy at all (`direct`). */
  readonly pid: number | undefined;
  /** Its access log, which the bench empties between rounds; undefined when it writes none. */
  readonly logPath: string | undefined;
  readonly stop: () => Promise<void>;
};

export type Availability =
  | { readonly kind: "available"; readonly version: string }
  | { readonly kind: "missing"; readonly why: string };

export type Contender = {
  readonly name: string;
  readonly kind: "stage" | "peer" | "none";
  /** One line: what exactly is measured under this name. */
  readonly about: string;
  /** Runs without being named in `--only`. */
  readonly byDefault: boolean;
  /** Whether `workers` of the context means anything to it. @default false */
  readonly hasWorkers?: boolean;
  readonly find: () => Availability;
  readonly start: (context: StartContext) => Promise<Running>;
};

/** Whether a program is installed, and its version: what `pattern` finds in what it says to `-v`. */
export function findProgram(program: string, name: string, pattern: RegExp): Availability {
  const { stdout, stderr, error } = spawnSync(program, ["-v"], { encoding: "utf8" });
  if (error !== undefined) return { kind: "missing", why: `${name} is not installed` };
  const said = stdout + stderr;
  return { kind: "available", version: pattern.exec(said)?.[1] ?? said.trim() };
}
