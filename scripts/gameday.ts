// A gameday: cells and the control plane fail by a seeded schedule, under steady load, and every response is held to the
// invariants of the workbook.
//
//   npm run gameday                               one minute, a seed of its own
//   npm run gameday -- --minutes 3 --seed 7       three minutes, the same each time
//   npm run gameday -- --stage m5 --json          another stage; the report as one JSON object
//   npm run gameday -- --port pingora             the router in another language: pingora, go; or haproxy, with its agent
//
// The report names the invariants that were checked; DESIGN.md numbers them. `npm run chaos` is its sibling: hostile clients
// and cells that break HTTP itself.
//
// Exit codes: 0 no violation, 1 a violation or a wrong flag, 2 the gameday itself could not run.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { agentProgram, haproxyAgent, haproxyWays } from "../graduation/haproxy/agent/stack.ts";
import { residentBytes } from "../shared/testkit/resident-memory.ts";
import { colours, runCommand, UsageError, type Values, wholeNumber } from "./command-line.ts";
import { Operator } from "./gameday/operator.ts";
import { GamedayRecord } from "./gameday/record.ts";
import { type GamedayReport, reportOf, textOf } from "./gameday/report.ts";
import { type Planned, planGameday, quietMs } from "./gameday/schedule.ts";
import { keys } from "./gameday/tables.ts";
import { runClient, type SteadyClient } from "./load/clients.ts";
import { buildPorted, type OtherRouter, portedNames, readPorted } from "./ported-routers.ts";
import { type Stack, startStack } from "./stack.ts";
import { StopSignal } from "./stage-session.ts";
import { isAtLeast, type Milestone, parseStage, projectRoot, stageFolder } from "./stages.ts";

const usage = `Usage: npm run gameday [-- flags]
  --minutes N   length of the run, 0.2 to 60 (1)
  --seed N      decides what goes wrong, and when; a random one unless given
  --stage mN    m4 or later (m4)
  --port NAME   the router in another language: ${portedNames.join(", ")}; or haproxy, with its agent
  --json        the report as one JSON object
  --help        this text`;

const options = {
  minutes: { type: "string" },
  seed: { type: "string" },
  stage: { type: "string" },
  port: { type: "string" },
  json: { type: "boolean" },
} as const;

/** Clients of each of the two routers. */
const clientsPerRouter = 6;
const maxGrowthMiB = 96;

async function main(values: Values<typeof options>): Promise<number> {
  const stage = parseStage(values.stage ?? "m4");
  if (!isAtLeast(stage, "m4"))
    throw new UsageError(`--stage takes m4 or later: ${stage} protects nothing yet`);
  const minutes = numberOf("--minutes", values.minutes ?? "1", 0.2, 60);
  const seedText = values.seed ?? String(1 + Math.floor(Math.random() * 999_999));
  const seed = wholeNumber("--seed", seedText, 0, 2 ** 32 - 1);
  const tell = values.json === true ? () => {} : (line: string) => console.log(line);
  const other = readOther(values.port, stage);
  const report = await runGameday(stage, other, seed, minutes, tell);
  const paint = report.violations === 0 ? colours().green : colours().red;
  console.log(values.json === true ? JSON.stringify(report) : paint(textOf(report)));
  return report.violations === 0 ? 0 : 1;
}

/** A router that is not the stage's own. */
interface Other {
  readonly router: OtherRouter;
  readonly runs: "node" | "program";
  readonly program: (tell: (line: string) => void) => Promise<string>;
  readonly engineReasons?: readonly string[];
  readonly clientTimeoutMs?: number;
}

function readOther(word: string | undefined, stage: Milestone): Other | undefined {
  if (word === haproxyAgent.name)
    return { router: haproxyAgent, runs: "node", program: async () => agentProgram, ...haproxyWays };
  const ported = readPorted(word, stage);
  return ported && { router: ported, runs: "program", program: (tell) => buildPorted(ported, tell) };
}

async function runGameday(
  stage: Milestone,
  other: Other | undefined,
  seed: number,
  minutes: number,
  tell: (line: string) => void,
): Promise<GamedayReport> {
  const stopSignal = new StopSignal();
  const state = join(projectRoot, ".state", `gameday-${process.pid}`);
  const stack = await startStack({
    stage,
    port: 0,
    routers: 2,
    stageFolder: stageFolder(stage),
    stateFolder: state,
    ...(other && { ported: { ...other, program: await other.program(tell) } }),
  });
  try {
    const record = new GamedayRecord();
    const operator = new Operator(stack, record);
    await operator.begin();
    const startedAtMs = performance.now();
    tell(`Gameday ${stage}, seed ${seed}, ${minutes} min: two routers, ${clientsPerRouter} clients each`);
    const done = new AbortController();
    const clients = stack.routers.flatMap((router, at) =>
      Array.from({ length: clientsPerRouter }, (_, n) =>
        runClient(steadyClient(router.url, seed, at * clientsPerRouter + n, record, other), done.signal),
      ),
    );
    const memory = watchMemory(stack, (minutes * 60_000) / 2, done.signal);
    const plan = planGameday(seed, minutes * 60_000);
    // One thing after the other at the cells, and one at the control plane; the two do not wait for each other.
    const lane = async (isOfCells: boolean): Promise<void> => {
      for (const planned of plan.filter((each) => "cells" in each === isOfCells)) {
        // On a slow machine the ones before it took longer than planned: then the last ones are left out.
        if (performance.now() - startedAtMs > minutes * 60_000 - quietMs) return;
        await carryOut(planned, operator, record, startedAtMs, tell, done.signal);
      }
    };
    const run = Promise.all([lane(true), lane(false)]);
    const failed = new Promise<never>((_, reject) => run.catch(reject));
    const ended = Promise.race([delay(minutes * 60_000).then(() => run), failed]);
    const lost = stack.routers.map((router) =>
      router.exited.then(
        () => done.signal.aborted || record.violated("8 survival: a router ended by itself"),
      ),
    );
    const isStopped = await Promise.race([ended, stopSignal.raised, ...lost]).then(
      () => stopSignal.raisedWithin(0),
      // Ctrl-C reaches the stack as well, and the operator may fail before this process hears of it.
      async (error: unknown) => (await stopSignal.raisedWithin(200)) || Promise.reject(error),
    );
    done.abort();
    await Promise.all(clients);
    // Half of a run, and a stack that somebody stopped: that would be judged wrongly.
    if (isStopped) throw new UsageError(`stopped (${await stopSignal.raised}): nothing was judged`);
    const memoryGrowthMiB = await memory;
    if (memoryGrowthMiB !== null && memoryGrowthMiB > maxGrowthMiB)
      record.violated(
        `6 streaming: a router's memory rose by ${memoryGrowthMiB} MiB from one half to the next`,
      );
    const port = other === undefined ? {} : { port: other.router.name };
    return reportOf(record, { stage, ...port, seed, minutes, startedAtMs, memoryGrowthMiB });
  } finally {
    await stack.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

/** A client whose responses are held to every table that its router may have used meanwhile. */
function steadyClient(
  router: string,
  seed: number,
  number: number,
  record: GamedayRecord,
  other: Other | undefined,
): SteadyClient {
  return {
    router,
    seed,
    number,
    keys,
    idOf: (n) => `gameday-${number}-${n}`,
    ...(other?.clientTimeoutMs === undefined ? {} : { timeoutMs: other.clientTimeoutMs }),
    look: () => {
      const before = record.tablesOf(router);
      return (fromMs, toMs) => ({
        tables: [...new Set([...before, ...record.tablesOf(router)])],
        isDisturbed: (cell) => record.isDisturbed(cell, fromMs, toMs),
        engineReasons: other?.engineReasons ?? [],
      });
    },
    onEnd: (verdict, what, fromMs, toMs) => record.ended(verdict, what, fromMs, toMs),
  };
}

/** One disturbance from beginning to end; nothing once `signal` has aborted. */
async function carryOut(
  planned: Planned,
  operator: Operator,
  record: GamedayRecord,
  startedAtMs: number,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const wait = (ms: number) => delay(Math.max(0, ms), undefined, { signal }).catch(() => {});
  await wait(startedAtMs + planned.atMs - performance.now());
  if (signal.aborted) return;
  const seconds = () => ((performance.now() - startedAtMs) / 1000).toFixed(1).padStart(6);
  const name = `${planned.kind} ${"cells" in planned ? planned.cells.join(" ") : ""}`.trim();
  const window = record.open(planned, performance.now());
  tell(`${seconds()} s  ${name}`);
  const undo = await operator.disturb(planned);
  await wait(planned.untilMs - planned.atMs);
  await undo();
  window.toMs = performance.now();
  if (planned.untilMs > planned.atMs) tell(`${seconds()} s  ${name}: over`);
}

/**
 * How much higher a router's resident memory rose in the second half of the run than in the first, in MiB; null where it
 * cannot be read. A garbage-collected heap climbs for a while under any traffic; one that holds on to something climbs on.
 */
async function watchMemory(stack: Stack, halfMs: number, signal: AbortSignal): Promise<number | null> {
  const startedAtMs = performance.now();
  const peaks = stack.routers.map(() => ({ first: 0, second: 0 }));
  while (!signal.aborted) {
    const half = performance.now() - startedAtMs < halfMs ? "first" : "second";
    for (const [at, { pid }] of stack.routers.entries()) {
      const bytes = residentBytes(pid);
      const peak = peaks[at];
      if (bytes === null || peak === undefined) return null;
      peak[half] = Math.max(peak[half], bytes);
    }
    await delay(200, undefined, { signal }).catch(() => {});
  }
  return Math.round(Math.max(...peaks.map(({ first, second }) => second - first)) / 1_048_576);
}

function numberOf(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= min && value <= max) return value;
  throw new UsageError(`${flag} takes a number from ${min} to ${max}; got "${text}"`);
}

await runCommand({ name: "gameday", usage, options, flagsOnly: true }, main);
// A socket or a pipe of a process that has just ended must not keep a finished command up.
process.exit();
