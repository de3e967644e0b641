// The options that every sub-command shares, checked once.

import type { Contender } from "./contender.ts";
import { select, UsageError } from "./lineup.ts";

export type BenchOptions = {
  readonly command: string;
  readonly operands: readonly string[];
  /** The contenders named with `--only`, or undefined. */
  readonly only: readonly Contender[] | undefined;
  readonly rounds: number;
  /** Measured seconds of a round. */
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second of the open loop, or undefined to derive it. */
  readonly rate: number | undefined;
  readonly json: boolean;
  readonly resultName: string;
  /** A second file to write the result to, or undefined. */
  readonly out: string | undefined;
  readonly signal: AbortSignal;
};

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** @throws UsageError naming the option, the value and what is allowed. */
export function parseOptions(
  command: string,
  operands: readonly string[],
  values: Values,
  signal: AbortSignal,
): BenchOptions {
  const text = (name: string) => (typeof values[name] === "string" ? values[name] : undefined);
  const flag = (name: string) => values[name] === true;
  const whole = (name: string, fallback: number, max: number) => {
    const given = text(name);
    const value = given === undefined ? fallback : Number(given);
    if (Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw new UsageError(`--${name} takes a whole number from 1 to ${max}, not "${given}"`);
  };
  const resultName = text("name") ?? `latest-${command}`;
  if (!/^[\w.-]{1,80}$/.test(resultName))
    throw new UsageError(`--name takes letters, digits, ".", "-", "_", not "${resultName}"`);
  if (flag("save") && text("out") === undefined) throw new UsageError("--save needs --out FILE");
  return {
    command,
    operands,
    only: text("only") === undefined ? undefined : select((text("only") ?? "").split(",")),
    rounds: whole("rounds", 3, 100),
    seconds: whole("seconds", 2, 60),
    connections: whole("connections", 64, 4096),
    rate: text("rate") === undefined ? undefined : whole("rate", 1, 1_000_000),
    json: flag("json"),
    resultName,
    out: text("out"),
    signal,
  };
}
