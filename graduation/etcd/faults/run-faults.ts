// Runs rounds of faults against one world, and replaces the world when a round has broken it.

import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EtcdGate } from "./etcd-gate.ts";
import type { FaultsReport, RoundResult } from "./report.ts";
import { rowOf } from "./report.ts";
import { type Fault, Round } from "./round.ts";
import { startWorld, type World } from "./world.ts";

export interface FaultsRun {
  readonly faults: readonly Fault[];
  readonly rounds: number;
  readonly seed: number;
  readonly etcd: string | undefined;
  readonly tell: (line: string) => void;
  /** Ends the run after the round under way. */
  readonly signal: AbortSignal;
}

export async function runFaults(run: FaultsRun): Promise<FaultsReport> {
  const results: RoundResult[] = [];
  const worlds = new Worlds();
  try {
    for (const [order, fault] of run.faults.entries()) {
      for (let number = 1; number <= run.rounds && !run.signal.aborted; number++) {
        const seed = run.seed + order * 1_000 + number;
        const result = await runRound(await worlds.for(fault), fault, number, seed);
        results.push(result);
        run.tell(lineOf(result));
        if (result.broken !== undefined) await worlds.end();
      }
    }
  } finally {
    await worlds.end();
  }
  const took = run.faults.filter(({ name }) => results.some(({ fault }) => fault === name));
  return {
    takenAt: new Date().toISOString(),
    etcd: run.etcd,
    rows: took.map(({ name, since }) => rowOf(name, since, results)),
    broken: results.filter(({ broken }) => broken !== undefined),
  };
}

/** One world at a time, kept from round to round while it fits and works. */
class Worlds {
  #world: World | undefined;

  async for({ needsGate }: Fault): Promise<World> {
    if (needsGate !== undefined && this.#world?.gate === undefined) await this.end();
    this.#world ??= await startWorld(needsGate === undefined ? {} : { gate: new EtcdGate() });
    return this.#world;
  }

  async end(): Promise<void> {
    await this.#world?.[Symbol.asyncDispose]();
    this.#world = undefined;
  }
}

export async function runRound(
  world: World,
  fault: Fault,
  number: number,
  seed: number,
): Promise<RoundResult> {
  const round = new Round(world, `${fault.name}-${seed}`, seed);
  const startedAtMs = performance.now();
  let broken: string | undefined;
  try {
    await round.begin();
    await fault.run(round);
    await round.settle();
  } catch (error) {
    await round.abandon();
    broken = `${wordsOf(error)}\nThe history: ${await keep(round, `${fault.name}-${seed}`)}`;
  }
  const { writesMs, routersMs, counts } = round;
  const tookMs = performance.now() - startedAtMs;
  return { fault: fault.name, round: number, seed, broken, writesMs, routersMs, tookMs, counts };
}

/** For whoever wants to know what happened. */
async function keep({ recorder }: Round, name: string): Promise<string> {
  const path = join(tmpdir(), `cell-routing-history-${name}.json`);
  await writeFile(path, JSON.stringify(recorder.history(), null, 1));
  return path;
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "BrokenRound") return error.message;
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return `${error.message}${cause}`;
}

function lineOf({ fault, round, broken, writesMs, routersMs, tookMs, counts }: RoundResult): string {
  const ms = (value: number | undefined): string => (value === undefined ? "-" : `${Math.round(value)} ms`);
  const held = broken === undefined ? "held" : `BROKEN: ${broken}`;
  return `${fault} ${round}: ${held}; writes again after ${ms(writesMs)}, routers newest after ${ms(routersMs)}; ${counts.operations} operations in ${ms(tookMs)}`;
}
