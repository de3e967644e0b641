// Measures every stage and every installed peer side by side; the method and its limits stand in bench/README.md.
//
//   npm run bench                                      everyone, about three minutes
//   npm run bench -- --only m1,reply-from,nginx --rounds 5 --seconds 4
//   npm run bench -- bodies|connections|workers|fleet  large bodies, many connections, worker processes, control plane
//   npm run bench -- rungs                             what each step of m5's rewrite saves
//   npm run bench -- profile m4                        where a stage spends its CPU time
//
// Options: --only NAMES --also NAME=FILE --against NAMES --resilience --cpu-only
//          --rounds N --seconds N --warm-up N --connections N --rate N --json --name NAME --save --out FILE
// Exit codes: 0 measured, 1 wrong arguments, 2 something failed to start, did not route or had errors under load,
// 130 interrupted.
import { benchCompare } from "../bench/bench-compare.ts";
import { benchRungs } from "../bench/bench-rungs.ts";
import { benchBodies } from "../bench/bodies.ts";
import { benchConnections } from "../bench/connections.ts";
import { benchFleet } from "../bench/fleet.ts";
import { type BenchOptions, parseOptions } from "../bench/options.ts";
import { benchProfile } from "../bench/profile.ts";
import { benchWorkers } from "../bench/workers.ts";
import { endWithReader, parseFlags, UsageError } from "./command-line.ts";

const interrupted = 130;

const usage = `Usage: npm run bench [-- [compare|bodies|connections|workers|fleet|rungs|profile NAME] [options]]
  --only NAMES      contenders, separated by commas; of rungs, the steps to take out
  --also NAME=FILE  further programs that start like a stage
  --against NAMES   whose CPU time the ratios are of (reply-from, nginx and their -nolog)
  --resilience      give those a table with every protection of m4 on
  --rounds N        interleaved rounds (3; of rungs 20)
  --seconds N       measured seconds a round (2)
  --warm-up N       seconds of load before anything is timed (2); 0 for a rehearsal
  --connections N   connections of the load (64)
  --rate N          requests per second of the open loop (half of the slowest proxy's saturation)
  --cpu-only        closed loop only, no latencies
  --json            the result as JSON on standard output
  --name NAME       write bench/results/NAME.json (latest-<command>)
  --save            also write site/data/bench.json (or bench-<command>.json), from which the site draws
  --out FILE        also write FILE
fleet has options of its own: npm run bench -- fleet --help`;

type Command = (options: BenchOptions) => Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  compare: benchCompare,
  bodies: benchBodies,
  connections: benchConnections,
  workers: benchWorkers,
  rungs: benchRungs,
  profile: benchProfile,
};

async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  // It measures control planes, and brings its own options.
  if (args[0] === "fleet") return benchFleet(args.slice(1), signal);
  const { values, positionals } = parseArguments(args);
  if (values.help === true) {
    console.log(usage);
    return 0;
  }
  const [name = "compare", ...operands] = positionals;
  const command = commands[name];
  if (command === undefined)
    throw new UsageError(`unknown command "${name}": one of ${Object.keys(commands).join(", ")}, fleet`);
  const extra = operands[name === "profile" ? 1 : 0];
  if (extra !== undefined) throw new UsageError(`unknown word "${extra}": name contenders with --only`);
  return command(parseOptions(name, operands, values, signal));
}

function parseArguments(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const options = {
    only: text,
    also: text,
    against: text,
    rounds: text,
    seconds: text,
    "warm-up": text,
    connections: text,
    rate: text,
    name: text,
    out: text,
  };
  const flags = { json: flag, "cpu-only": flag, save: flag, resilience: flag };
  return parseFlags({ ...options, ...flags, help: { ...flag, short: "h" } }, args);
}

// npm starts this by node itself, as chaos and gameday, and not by tsx: tsx kills a script that has not confirmed a signal
// within 60 ms, as on a busy machine, and then nobody would end the processes that the script has started.
const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    // The first asks for an orderly end and bounds it; a second one ends at once. Either way no child is left behind.
    if (interruption.signal.aborted) process.exit(interrupted);
    interruption.abort(new Error(`Interrupted by ${name}`));
    setTimeout(() => process.exit(interrupted), 8_000).unref();
  });
}
endWithReader();
if (process.platform !== "linux") {
  console.error("bench: CPU time is read from Linux's /proc; run this on Linux");
  process.exit(1);
}
try {
  process.exitCode = await main(process.argv.slice(2), interruption.signal);
} catch (error) {
  const { aborted } = interruption.signal;
  const reason: unknown = aborted ? interruption.signal.reason : error;
  console.error(`bench: ${reason instanceof Error ? reason.message : String(reason)}`);
  // What was starting when the signal came may take its time to notice; at the exit it is killed.
  if (aborted) process.exit(interrupted);
  process.exitCode = error instanceof UsageError ? 1 : 2;
}
