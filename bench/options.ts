// The options that every sub-command shares, checked once.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError, wholeNumber } from "../scripts/command-line.ts";
import { defaultWarmUpSeconds, type Measurement } from "./compare.ts";
import type { Contender } from "./contender.ts";
import type { Delivery } from "./deliver.ts";
import { select } from "./lineup.ts";
import { yardsticks } from "./report.ts";
import { rungContenders } from "./rung-contenders.ts";
import { stageLike } from "./stages.ts";

export type BenchOptions = Measurement &
  Delivery & {
    readonly command: string;
    readonly operands: readonly string[];
    /** The contenders named with `--only`, or undefined. */
    readonly only: readonly Contender[] | undefined;
    /** Further programs named with `--also`, measured beside the others. */
    readonly also: readonly Contender[];
    /** Names of the contenders whose ratios the table shows. */
    readonly against: readonly string[];
  };

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** `NAME=FILE`: any program that starts like a stage, such as a variant of one or the learner's own. */
function parseAlso(pair: string, resilience: boolean): Contender {
  const [, name, file] = /^([\w.-]{1,40})=(.+)$/.exec(pair) ?? [];
  if (name === undefined || file === undefined) throw new UsageError(`--also takes NAME=FILE; got "${pair}"`);
  if (!existsSync(file)) throw new UsageError(`--also takes NAME=FILE; there is no file "${file}"`);
  const about = `${file}, started like a stage; its standard output to a file`;
  // Whoever names it to `bench -- workers` says that it has some.
  return stageLike(name, resolve(file), about, { resilience, hasWorkers: true });
}

/** Where the site reads the figures that it draws. */
function siteFile(command: string): string {
  const name = command === "compare" ? "bench" : `bench-${command}`;
  return join(import.meta.dirname, "..", "site", "data", `${name}.json`);
}

/** Reads `--json`, `--name`, `--out` and `--save`. @throws UsageError */
export function deliveryOptions(command: string, { json, name, out, save }: Values): Delivery {
  // Found out before the measurement and not after it.
  if (typeof out === "string" && !existsSync(dirname(resolve(out))))
    throw new UsageError(`--out takes a file in a folder that is there; got "${out}"`);
  const resultName = typeof name === "string" ? name : `latest-${command}`;
  if (!/^[\w.-]{1,80}$/.test(resultName))
    throw new UsageError(`--name takes letters, digits, ".", "-", "_", not "${resultName}"`);
  const saved = save === true ? siteFile(command) : undefined;
  return { json: json === true, resultName, out: typeof out === "string" ? out : saved };
}

/** @throws UsageError naming the option, the value and what is allowed. */
export function parseOptions(
  command: string,
  operands: readonly string[],
  values: Values,
  signal: AbortSignal,
): BenchOptions {
  const text = (name: string) => (typeof values[name] === "string" ? values[name] : undefined);
  const flag = (name: string) => values[name] === true;
  const whole = (name: string, fallback: number, max: number, min = 1) => {
    const given = text(name);
    return given === undefined ? fallback : wholeNumber(`--${name}`, given, min, max);
  };
  const ofRungs = command === "rungs";
  return {
    command,
    operands,
    ...deliveryOptions(command, values),
    only:
      text("only") === undefined
        ? undefined
        : select((text("only") ?? "").split(","), ofRungs ? rungContenders : undefined),
    also: (text("also") ?? "")
      .split(",")
      .filter((pair) => pair !== "")
      .map((pair) => parseAlso(pair, flag("resilience"))),
    against: text("against")?.split(",") ?? yardsticks,
    // An interval of the median needs six rounds at least, and is wide with six.
    rounds: whole("rounds", ofRungs ? 20 : 3, 100),
    seconds: whole("seconds", 2, 60),
    warmUpSeconds: whole("warm-up", defaultWarmUpSeconds, 60, 0),
    connections: whole("connections", 64, 4096),
    rate: text("rate") === undefined ? undefined : whole("rate", 1, 1_000_000),
    cpuOnly: flag("cpu-only"),
    signal,
  };
}
