// `npm run bench -- profile NAME`: where a Node contender spends its CPU time under the closed loop.
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../scripts/command-line.ts";
import { type CpuProfile, groupTimes, selfTimes } from "./cpu-profile.ts";
import { deliver, showProgress } from "./deliver.ts";
import { Lineup, select } from "./lineup.ts";
import { chooseClosedLoop } from "./load/closed-loop.ts";
import { describeMachine } from "./machine.ts";
import type { BenchOptions } from "./options.ts";
import { readTree } from "./process-tree.ts";
import { formatTable } from "./table.ts";

const shownFunctions = 40;
/** Start-up and the compiling of the hot path are left out of the profile. */
const warmUpSeconds = 3;

const monotonicUs = () => Number(process.hrtime.bigint() / 1000n);

/** Profiles one contender; the sampler itself costs some per cent, so the total is higher than in a comparison. */
export async function benchProfile(options: BenchOptions): Promise<number> {
  const [name] = options.operands;
  const [contender] = name === undefined ? [] : select([name]);
  if (contender === undefined) throw new UsageError("profile takes the name of one contender: profile m1");
  const machine = describeMachine();
  const closedLoop = chooseClosedLoop();
  await using lineup = new Lineup();
  const directory = join(lineup.directory, "profiles");
  mkdirSync(directory);
  // 200 µs between samples: fine enough for functions that take a microsecond a request.
  const nodeArgs = ["--cpu-prof", `--cpu-prof-dir=${directory}`, "--cpu-prof-interval=200"];
  const running = await lineup.start(contender, { ...options, nodeArgs });
  if (running.pid === undefined) throw new UsageError(`"${contender.name}" has no process to profile`);
  const { connections, seconds, signal } = options;
  showProgress(`profiling ${contender.name} for ${seconds} s`);
  await closedLoop.run(running.url, { connections, seconds: warmUpSeconds, signal });
  const fromUs = monotonicUs();
  const before = readTree(running.pid).cpuMs;
  const load = await closedLoop.run(running.url, { connections, seconds, signal });
  const cpuUs = ((readTree(running.pid).cpuMs - before) * 1000) / load.requests;
  const toUs = monotonicUs();
  await running.stop();
  showProgress("");
  const files = readdirSync(directory).filter((file) => file.endsWith(".cpuprofile"));
  if (files.length === 0)
    throw new Error(`${contender.name} wrote no profile: is it a Node program that ends on SIGTERM?`);
  const profiles = files.map((file) => JSON.parse(readFileSync(join(directory, file), "utf8")) as CpuProfile);
  const times = selfTimes(profiles, { fromUs, toUs });
  const perRequest = (selfMs: number) => ((selfMs * 1000) / load.requests).toFixed(2);
  const groups = groupTimes(times);
  const text = [
    `${contender.name}: ${load.requests} requests in ${load.seconds.toFixed(1)} s, ${cpuUs.toFixed(1)} µs CPU a request while being sampled; self time in µs a request`,
    "",
    formatTable(
      ["module", "µs"],
      groups.slice(0, 20).map(({ group, selfMs }) => [group, perRequest(selfMs)]),
    ),
    "",
    formatTable(
      ["function", "µs"],
      times.slice(0, shownFunctions).map(({ where, selfMs }) => [where, perRequest(selfMs)]),
    ),
  ].join("\n");
  const { requests } = load;
  deliver(options, { kind: "profile", name: contender.name, machine, requests, cpuUs, groups, times }, text);
  return load.errors === 0 ? 0 : 2;
}
