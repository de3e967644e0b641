// Hostile clients against hostile cells, from a seed, beside clean clients that check their own responses: the router lives,
// nobody gets another's response, no request is smuggled, and what was held comes back.
//
//   npm run chaos                                   every stage for a minute
//   npm run chaos -- --stage m4 --seconds 600       one stage for ten
//   npm run chaos -- --stage m4 --replay 7:1234     connection 1234 of seed 7 again, alone
//   npm run chaos -- --port go --level m2           the router in another language: pingora, go
//   npm run chaos -- --start './router' --level m2  a router in any language that prints a READY line
//
// Exit codes: 0 no fault, 1 a fault or a wrong flag, 2 the run itself could not be made.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { findCulprit, likelyFirst } from "./chaos/culprit.ts";
import {
  type ChaosOptions,
  type Flags,
  flags,
  type Job,
  readOptions,
  usage,
  withPortBuilt,
} from "./chaos/options.ts";
import { type ChaosReport, reportOf, sequenceWords, textOf } from "./chaos/report.ts";
import { runChaos } from "./chaos/run.ts";
import type { RunOptions, RunResult } from "./chaos/run-result.ts";
import { colours, runCommand, UsageError } from "./command-line.ts";
import { StopSignal } from "./stage-session.ts";
import { projectRoot } from "./stages.ts";

const cleanClients = 4;
const recoveryMs = 30_000;

async function main(values: Flags): Promise<number> {
  const isJson = values.json === true;
  const tell = isJson ? () => {} : (line: string) => console.log(line);
  const options = readOptions(await withPortBuilt(values, tell));
  const stop = new AbortController();
  const stopSignal = new StopSignal();
  void stopSignal.raised.then((name) => stop.abort(new UsageError(`stopped (${name}): nothing was judged`)));
  let faults = 0;
  for (const job of options.jobs) {
    tell(
      `Chaos ${job.name}, seed ${options.seed}${options.sequence === undefined ? `, ${options.seconds} s` : ", replay"} …`,
    );
    const report = await runJob(job, options, stop.signal, tell);
    faults += report.faultCount;
    const paint = report.faultCount === 0 ? colours().green : colours().red;
    console.log(isJson ? JSON.stringify(report) : paint(textOf(report)));
  }
  return faults === 0 ? 0 : 1;
}

async function runJob(
  job: Job,
  options: ChaosOptions,
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<ChaosReport> {
  const isReplay = options.sequence !== undefined;
  const run: RunOptions = {
    ...options,
    ...job,
    cleanClients: isReplay ? 0 : cleanClients,
    withAftermath: !isReplay,
    recoveryMs,
    signal,
  };
  const result = await runChaos(run);
  const facts = { target: job.name, seed: options.seed };
  if (isReplay)
    return reportOf(result, { ...facts, replay: [], connectionsOfFaults: result.latest.slice(0, 6) });
  const replay: string[] = [];
  const told = new Map(result.guilty.map((each) => [each.number, each]));
  const flag = flagsOf(job);
  if (result.death !== undefined) {
    const culprit = job.target.kind === "running" ? undefined : await findCulprit(run, result, tell);
    // Of several connections from one plan, the first one tells it.
    for (const each of likelyFirst((culprit?.result ?? result).latest).slice(0, 3))
      if (!told.has(each.number)) told.set(each.number, each);
    if (culprit !== undefined)
      replay.push(`npm run chaos -- ${flag} --replay ${sequenceWords(options.seed, culprit)}`);
    replay.push(`npm run chaos -- ${flag} --replay ${keepSequence(result, options.seed, job.name)}`);
  }
  for (const number of result.guilty.slice(0, 3).map((each) => each.number))
    replay.push(`npm run chaos -- ${flag} --replay ${options.seed}:${number}`);
  replay.push(`npm run chaos -- ${flag} --seconds ${options.seconds} --seed ${options.seed}`);
  return reportOf(result, { ...facts, replay, connectionsOfFaults: [...told.values()] });
}

/** Writes down what came before the fault, and when. */
function keepSequence(result: RunResult, seed: number, name: string): string {
  const folder = join(projectRoot, ".state", "chaos");
  const file = join(folder, `${name.replaceAll(/\W+/g, "-")}-${seed}.json`);
  const sequence = result.latest
    .map(({ number, startedAtMs }) => ({ number, atMs: Math.round(startedAtMs - result.startedAtMs) }))
    .sort((a, b) => a.atMs - b.atMs);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ seed, sequence })}\n`);
  return relative(process.cwd(), file);
}

function flagsOf({ target, level }: Job): string {
  if (target.kind === "stage") return `--stage ${target.stage}`;
  if (target.kind === "running") return `--router ${target.url} --level ${level}`;
  return `--start '${target.words.join(" ")}' --level ${level}`;
}

await runCommand({ name: "chaos", usage, options: flags, flagsOnly: true }, main);
// A socket or a pipe of a process that has just ended must not keep a finished command up.
process.exit();
