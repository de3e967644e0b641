// What every script shares about being a command: arguments, colours, exit codes.
// Exit codes: 0 good, 1 the caller's request or code is at fault, 2 ours.

import { type ParseArgsConfig, parseArgs } from "node:util";
import pc from "picocolors";

/** The caller asked for something that cannot be done: one line, exit 1, no stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something of ours does not hold: the message, exit 2, no stack. */
export class BrokenPromiseError extends Error {
  override readonly name = "BrokenPromiseError";
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** `parseArgs` with messages of one line, and a word for flags that npm took for its own. */
export function readArguments<const O extends Options>(options: O, args = process.argv.slice(2)) {
  for (const name of Object.keys(options)) {
    const swallowed = process.env[`npm_config_${name.replaceAll("-", "_")}`];
    if (swallowed !== undefined && !args.some((arg) => arg.startsWith(`--${name}`))) {
      throw new UsageError(
        `npm kept --${name} for itself: put -- before the flags, as in: npm run … -- --${name}`,
      );
    }
  }
  return parseFlags(options, args);
}

/** `parseArgs` with messages of one line. @throws UsageError */
export function parseFlags<const O extends Options>(options: O, args: readonly string[]) {
  try {
    return parseArgs({ args: withNegativeNumbers(args, options), options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(flagFault(error, Object.keys(options)), { cause: error });
  }
}

/** The words of a command, which is started without a shell. Quotes keep a word together. */
export function commandWords(text: string): string[] {
  const words = text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g);
  return [...words].map(([, double, single, plain]) => double ?? single ?? plain ?? "");
}

/** `--seed -5` as `--seed=-5`: which numbers a flag takes is the command's to say, and not the parser's. */
function withNegativeNumbers(args: readonly string[], options: Options): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1) ?? "";
    const takesValue = before.startsWith("--") && options[before.slice(2)]?.type === "string";
    if (takesValue && /^-\.?\d/.test(arg)) joined[joined.length - 1] = `${before}=${arg}`;
    else joined.push(arg);
  }
  return joined;
}

/** What is wrong with a flag, in one line. */
function flagFault(error: unknown, known: readonly string[]): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const flag = /'(?:-\w, )?(--?[\w-]+)/.exec(message)?.[1] ?? "";
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION")
    return `unknown flag ${flag}: one of ${known.map((name) => `--${name}`).join(", ")}`;
  if (message.includes("does not take an argument")) return `${flag} takes no value`;
  if (code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") return `${flag} needs a value: see --help`;
  return message.split(/\. |\n/)[0] ?? message;
}

/** The number that `text` writes in digits. @throws UsageError that names the flag, the text and what would do */
export function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${flag} takes a whole number from ${min} to ${max}; got "${text}"`);
}

/** @throws UsageError that names the flag and what would do */
export function httpUrl(flag: string, text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "http:") return url;
  throw new UsageError(`write ${flag} as http://host:port; got "${text}"`);
}

/** Colours for a terminal; plain text for a pipe, with `NO_COLOR`, and for a dumb terminal. `FORCE_COLOR` wins over the pipe. */
export function colours(stream: { isTTY?: boolean } = process.stdout, env = process.env) {
  const isPlain = env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "";
  const isTerminal = stream.isTTY === true && env["TERM"] !== "dumb";
  return pc.createColors(!isPlain && (isTerminal || (env["FORCE_COLOR"] ?? "0") !== "0"));
}

/** What the flags of a command hold. */
export type Values<O extends Options> = ReturnType<typeof parseFlags<O>>["values"];

export interface Command<O extends Options> {
  readonly name: string;
  readonly usage: string;
  /** Its flags; `--help` comes by itself. */
  readonly options: O;
  /** It takes flags and no words. @default false */
  readonly flagsOnly?: boolean;
}

/** Runs a command as `runProgram` does, with its arguments read; `--help` prints the usage and nothing else. */
export function runCommand<const O extends Options>(
  { name, usage, options, flagsOnly = false }: Command<O>,
  main: (values: Values<O>, words: readonly string[]) => Promise<number>,
): Promise<void> {
  return runProgram(name, async () => {
    const withHelp: Options = { ...options, help: { type: "boolean" } };
    const { values, positionals } = readArguments(withHelp);
    if (values["help"] === true) {
      console.log(usage);
      return 0;
    }
    if (flagsOnly && positionals.length > 0)
      throw new UsageError(`unknown word "${positionals[0]}": ${name} takes flags only; see --help`);
    return await main(values as Values<O>, positionals);
  });
}

/** Runs a script's `main`: its number is the exit code, a thrown error becomes words and a code. */
export async function runProgram(name: string, main: () => Promise<number>): Promise<void> {
  endWithReader();
  try {
    process.exitCode = await main();
  } catch (error) {
    process.exitCode = error instanceof UsageError ? 1 : 2;
    process.stderr.write(`${name}: ${messageOf(error)}\n`);
  }
}

/** Whoever reads the output may leave (`| head`): then there is nobody to tell. A script that listens itself decides itself. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", () => {
      if (stream.listenerCount("error") === 1) process.exit(process.exitCode ?? 1);
    });
}

function messageOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof BrokenPromiseError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
