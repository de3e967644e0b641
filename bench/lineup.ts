// Who takes part: the list of all contenders, the selection, and starting them on one set of cells.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../scripts/command-line.ts";
import { readyLine, startChild } from "./child.ts";
import type { Contender, Running, StartContext } from "./contender.ts";
import { findFault } from "./guard.ts";
import { haproxyPeers } from "./peers/haproxy.ts";
import { nginxPeers } from "./peers/nginx.ts";
import { nodePeers } from "./peers/node-peers.ts";
import { portedPeers } from "./peers/ported-routers.ts";
import type { Cells } from "./routes.ts";
import { stages } from "./stages.ts";

const direct: Contender = {
  name: "direct",
  kind: "none",
  about: "no proxy: the load generator asks the cell itself; the floor of the latencies",
  byDefault: true,
  find: () => ({ kind: "available", version: "-" }),
  start: async ({ cells }) => ({ url: cells.visa, pid: undefined, logPath: undefined, stop: async () => {} }),
};

export const allContenders: readonly Contender[] = [
  ...stages,
  ...nginxPeers,
  ...haproxyPeers,
  ...nodePeers,
  ...portedPeers,
  direct,
];

/** The contenders named, in the order named; without names those that run by default. @throws UsageError on an unknown name. */
export function select(names: readonly string[] | undefined, among = allContenders): Contender[] {
  if (names === undefined) return among.filter(({ byDefault }) => byDefault);
  const known = among.map(({ name }) => name);
  return [...new Set(names)].map((name) => {
    const contender = among.find((candidate) => candidate.name === name);
    if (contender === undefined)
      throw new UsageError(`No contender "${name}"; there are: ${known.join(", ")}`);
    return contender;
  });
}

export type Absent = { readonly name: string; readonly why: string };

/** A line for each one that did not take part. */
export function absentLines(missing: readonly Absent[], failed: readonly Absent[]): string[] {
  return [
    ...missing.map(({ name, why }) => `skipped ${name}: ${why}`),
    ...failed.map(({ name, why }) => `FAILED ${name}: ${why}`),
  ];
}

export type Entrant = {
  readonly contender: Contender;
  readonly version: string;
  readonly running: Running;
};

export type StartOptions = Partial<Pick<StartContext, "workers" | "nodeArgs">> & {
  readonly signal: AbortSignal;
};

/** One set of cells and what runs in front of it. Dispose of it to stop everything and remove its files. */
export class Lineup implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "cell-routing-bench-"));
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #cellScript: string;
  // Also on an exit that leaves no time for an orderly end; the children are killed by then.
  readonly #removeDirectory = () => rmSync(this.directory, { recursive: true, force: true });
  #cells: Cells | undefined;

  /** `cellScript` stands beside this file: what answers behind the proxies. */
  constructor(cellScript: "cell-server.ts" | "body-cell.ts" = "cell-server.ts") {
    this.#cellScript = cellScript;
    process.once("exit", this.#removeDirectory);
  }

  /** Starts a contender and checks that it routes. @throws Error when it does not start or answers wrongly. */
  async start(contender: Contender, options: StartOptions): Promise<Running> {
    this.#cells ??= await this.#startCells();
    const directory = mkdtempSync(join(this.directory, `${contender.name}-`));
    mkdirSync(join(directory, "state"));
    const { workers = 1, nodeArgs = [] } = options;
    options.signal.throwIfAborted();
    const starting = contender.start({ cells: this.#cells, directory, workers, nodeArgs });
    const running = await unlessAborted(starting, options.signal);
    this.#stops.push(running.stop);
    const fault = await findFault(running.url, contender.kind !== "none");
    if (fault !== undefined) throw new Error(`it does not route: ${fault}`);
    return running;
  }

  /** Starts everyone; who is missing, does not start or does not route is named with the reason and left out. */
  async startAll(
    contenders: readonly Contender[],
    options: StartOptions,
  ): Promise<{ entrants: Entrant[]; missing: Absent[]; failed: Absent[] }> {
    const [entrants, missing, failed]: [Entrant[], Absent[], Absent[]] = [[], [], []];
    for (const contender of contenders) {
      const { name } = contender;
      const found = contender.find();
      if (found.kind === "missing") {
        missing.push({ name, why: found.why });
        continue;
      }
      try {
        const running = await this.start(contender, options);
        entrants.push({ contender, version: found.version, running });
      } catch (error) {
        options.signal.throwIfAborted();
        failed.push({ name, why: error instanceof Error ? error.message : String(error) });
      }
    }
    return { entrants, missing, failed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#stops.map((stop) => stop()));
    process.off("exit", this.#removeDirectory);
    this.#removeDirectory();
  }

  async #startCells(): Promise<Cells> {
    const script = join(import.meta.dirname, this.#cellScript);
    const child = startChild(process.execPath, [script], { name: "cells", directory: this.directory });
    this.#stops.push(child.stop);
    const { cells } = await readyLine(child);
    return cells as Cells;
  }
}

/** Rejects as soon as `signal` aborts. What is under way goes on; it ends with this process (child.ts). */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return await Promise.race([work, aborted.promise]).finally(() =>
    signal.removeEventListener("abort", onAbort),
  );
}
