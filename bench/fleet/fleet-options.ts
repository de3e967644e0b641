// The options of `npm run bench -- fleet`, checked once.
import { parseFlags, UsageError, wholeNumber } from "../../scripts/command-line.ts";
import type { Delivery } from "../deliver.ts";
import { deliveryOptions } from "../options.ts";
import type { FleetStage } from "./router-end.ts";

export type FleetOptions = Delivery & {
  /** Whose control plane and whose routers. */
  readonly stage: FleetStage;
  readonly routers: number;
  readonly keys: readonly number[];
  readonly rounds: number;
  readonly processes: number;
};

const usage =
  "npm run bench -- fleet [--stage m3|m5] [--routers N] [--keys N,N] [--rounds N] [--processes N] [--json] [--name NAME] [--save] [--out FILE]";

/** Undefined when only help was asked for, which is then printed. @throws UsageError naming the option and the value */
export function parseFleetOptions(args: readonly string[]): FleetOptions | undefined {
  const values = parse(args);
  if (values["help"] === true) {
    console.log(usage);
    return undefined;
  }
  const stage = values["stage"] ?? "m3";
  if (stage !== "m3" && stage !== "m5") throw new UsageError(`--stage takes m3 or m5; got "${stage}"`);
  const suffix = stage === "m3" ? "fleet" : `fleet-${stage}`;
  return {
    stage,
    routers: whole("routers", values["routers"] ?? 1_000, 10_000),
    keys: String(values["keys"] ?? "10,1000,100000")
      .split(",")
      .map((each) => whole("keys", each, 200_000)),
    rounds: whole("rounds", values["rounds"] ?? 20, 1_000),
    processes: whole("processes", values["processes"] ?? 2, 16),
    ...deliveryOptions(suffix, values),
  };
}

function parse(args: readonly string[]): Partial<Record<string, string | boolean>> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const texts = { stage: text, routers: text, keys: text, rounds: text, processes: text };
  const options = { ...texts, name: text, out: text, json: flag, save: flag, help: flag };
  const { values, positionals } = parseFlags(options, args);
  if (positionals.length > 0)
    throw new UsageError(`unknown word "${positionals[0]}": fleet takes flags only`);
  return values;
}

function whole(name: string, given: unknown, max: number): number {
  return wholeNumber(`--${name}`, String(given), 1, max);
}
