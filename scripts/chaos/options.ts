// The flags of `npm run chaos`, read and checked.

import { readSmallFile } from "../bounded-file.ts";
import { commandWords, httpUrl, UsageError, type Values, wholeNumber } from "../command-line.ts";
import { readPorts } from "../contract/ports-flag.ts";
import type { CellName } from "../load/tables.ts";
import { buildPorted, portedNames, readPorted } from "../ported-routers.ts";
import { type Milestone, parseStage, presentStages } from "../stages.ts";
import type { Recorded } from "./lanes.ts";
import { type ClientKind, clientKinds } from "./plan.ts";
import type { Target } from "./router.ts";

export const usage = `Usage: npm run chaos [-- flags]
  --seconds N       length of each run (60)
  --seed N          decides what every client and cell does; a random one unless given
  --stage mN        one stage; without it, all of them, one after the other
  --connections N   stop after so many hostile connections
  --clients N       hostile connections at once (32)
  --only LIST       these kinds of clients only, such as connect,upgrade
  --without LIST    leave these kinds out
  --replay WHAT     SEED:N makes connection N again, alone; SEED:NxT does it T times at once; SEED:N,M makes several;
                    a file that an earlier run has named repeats a sequence at its times
  --start COMMAND   a router of your own: started without a shell, with the stages' environment variables, READY line
  --port NAME       the router in another language (${portedNames.join(", ")}), at --level, m4 unless given
  --router URL      one that runs already, routing to the contract's ports; --pid lets the run see what it holds
  --pid PID         process of --router
  --level mN        what a router of your own promises: m1 to m4 (m1)
  --ports LIST      where --router looks for the cells (visa=9004,tier1=9001,tier2=9002,tier3=9003)
  --env NAME=VALUE  another environment variable for the router; may be repeated
  --json            the report as one JSON line a run
  --help            this text
Kinds of clients: ${clientKinds.join(", ")}`;

export const flags = {
  seconds: { type: "string" },
  seed: { type: "string" },
  stage: { type: "string" },
  connections: { type: "string" },
  clients: { type: "string" },
  only: { type: "string" },
  without: { type: "string" },
  replay: { type: "string" },
  start: { type: "string" },
  port: { type: "string" },
  router: { type: "string" },
  pid: { type: "string" },
  level: { type: "string" },
  ports: { type: "string" },
  env: { type: "string", multiple: true },
  json: { type: "boolean" },
} as const;

export type Flags = Values<typeof flags>;

export interface Job {
  readonly name: string;
  readonly target: Target;
  /** The milestone whose table the router reads. */
  readonly level: Milestone;
  /** Ports of the cells, where the router cannot be told; 0 for any free one. */
  readonly ports: Readonly<Record<CellName, number>>;
}

export interface ChaosOptions {
  readonly jobs: readonly Job[];
  readonly seed: number;
  readonly seconds: number;
  readonly connections: number;
  readonly lanes: number;
  readonly kinds: ReadonlySet<ClientKind>;
  /** These connections instead of the plan's first ones. */
  readonly sequence: readonly Recorded[] | undefined;
}

/** With `--port`, the program is built first; then it is one like any other. @throws UsageError */
export async function withPortBuilt(values: Flags, tell: (line: string) => void): Promise<Flags> {
  const { port, level = "m4", env = [], ...others } = values;
  if (port === undefined) return values;
  const stage = parseStage(level);
  const ported = readPorted(port, stage);
  if (ported === undefined) return values;
  if ([values.stage, values.start, values.router].some((each) => each !== undefined))
    throw new UsageError("name one router: --port, --stage, --start or --router");
  const program = await buildPorted(ported, tell);
  return { ...others, start: JSON.stringify(program), level, env: [...env, `STAGE=${stage}`] };
}

/** What a run has recorded for `--replay`. */
export interface ReplayFile {
  readonly seed: number;
  readonly sequence: readonly Recorded[];
}

/** A recorded sequence has a few hundred lines. */
const maxReplayBytes = 1_048_576;
const mostAtOnce = 1_000;
const freePorts = { visa: 0, tier1: 0, tier2: 0, tier3: 0 } as const;

export function readOptions(values: Flags): ChaosOptions {
  const replay = values.replay === undefined ? undefined : readReplay(values.replay);
  if (replay !== undefined && values.seed !== undefined)
    throw new UsageError("--replay names its seed itself: leave --seed out");
  const random = 1 + Math.floor(Math.random() * 999_999);
  return {
    jobs: jobsOf(values),
    seed: replay?.seed ?? wholeNumber("--seed", values.seed ?? String(random), 0, 2 ** 32 - 1),
    seconds: wholeNumber("--seconds", values.seconds ?? "60", 1, 86_400),
    connections: wholeNumber("--connections", values.connections ?? "1000000000", 1, 1e9),
    lanes: wholeNumber("--clients", values.clients ?? "32", 1, 1_000),
    kinds: kindsOf(values.only, values.without),
    sequence: replay?.sequence,
  };
}

function jobsOf(values: Flags): Job[] {
  const env = Object.fromEntries(
    (values.env ?? []).map((pair) => {
      const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(pair) ?? [];
      if (name === undefined) throw new UsageError(`--env takes NAME=VALUE; got "${pair}"`);
      return [name, value ?? ""];
    }),
  );
  const ways = [values.stage, values.start, values.router].filter((each) => each !== undefined);
  if (ways.length > 1) throw new UsageError("name one router: --stage, --start or --router");
  const level = parseStage(values.level ?? "m1");
  if (values.start !== undefined) {
    const words = commandWords(values.start);
    if (words.length === 0) throw new UsageError("--start takes a command");
    return [{ name: words[0] ?? "", target: { kind: "command", words, env }, level, ports: freePorts }];
  }
  if (values.router !== undefined) {
    const url = httpUrl("--router", values.router);
    const pid = values.pid === undefined ? undefined : wholeNumber("--pid", values.pid, 1, 2 ** 31);
    const ports = readPorts(values.ports);
    return [{ name: url.origin, target: { kind: "running", url: url.origin, pid }, level, ports }];
  }
  for (const flag of ["pid", "ports"] as const)
    if (values[flag] !== undefined) throw new UsageError(`--${flag} goes with --router`);
  const stages = values.stage === undefined ? presentStages() : [parseStage(values.stage)];
  return stages.map((stage) => ({
    name: stage,
    target: { kind: "stage", stage, env },
    level: stage,
    ports: freePorts,
  }));
}

function kindsOf(only: string | undefined, without: string | undefined): ReadonlySet<ClientKind> {
  const named = (flag: string, text: string): ClientKind[] =>
    text.split(",").map((word) => {
      const kind = clientKinds.find((each) => each === word.trim());
      if (kind === undefined)
        throw new UsageError(`${flag}: unknown kind of client "${word}": one of ${clientKinds.join(", ")}`);
      return kind;
    });
  const left = new Set(only === undefined ? clientKinds : named("--only", only));
  for (const kind of without === undefined ? [] : named("--without", without)) left.delete(kind);
  if (left.size === 0) throw new UsageError("no kind of client is left");
  return left;
}

function readReplay(what: string): ReplayFile {
  const [, seed, list] = /^(\d+):([\dx,]+)$/.exec(what) ?? [];
  if (seed === undefined || list === undefined) return readReplayFile(what);
  const sequence = list.split(",").flatMap((each): Recorded[] => {
    const [, number, times] = /^(\d+)(?:x(\d+))?$/.exec(each) ?? [];
    if (number === undefined)
      throw new UsageError(`--replay takes SEED:N, SEED:NxT, SEED:N,M or a file; got "${what}"`);
    return timesOver(Number(number), wholeNumber("--replay SEED:NxT", times ?? "1", 1, mostAtOnce));
  });
  return { seed: Number(seed), sequence };
}

/** One connection several times over: the first half at once, the rest 10 ms apart. */
export function timesOver(number: number, times: number): Recorded[] {
  return Array.from({ length: times }, (_, n) => ({ number, atMs: n < times / 2 ? 0 : n * 10 }));
}

function expectReplay(json: unknown): ReplayFile {
  const { seed, sequence } = json as Partial<ReplayFile>;
  const isRecorded = ({ number, atMs }: Recorded) => Number.isSafeInteger(number) && Number.isFinite(atMs);
  if (typeof seed === "number" && sequence?.every(isRecorded)) return { seed, sequence };
  throw new Error("it holds no seed and sequence");
}

function readReplayFile(path: string): ReplayFile {
  try {
    return expectReplay(JSON.parse(readSmallFile(path, maxReplayBytes).text));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--replay takes SEED:N, SEED:NxT, SEED:N,M or a file; "${path}" is none: ${why}`);
  }
}
