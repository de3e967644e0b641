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
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.split(/\. |\n/)[0] ?? message, { cause: error });
  }
}

/** The words of a command, which is started without a shell. Quotes keep a word together. */
export function commandWords(text: string): string[] {
  const words = text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g);
  return [...words].map(([, double, single, plain]) => double ?? single ?? plain ?? "");
}

/** Colours for a terminal; plain text for a pipe, with `NO_COLOR`, and for a dumb terminal. `FORCE_COLOR` wins over the pipe. */
export function colours(stream: { isTTY?: boolean } = process.stdout, env = process.env) {
  const isPlain = env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "";
  const isTerminal = stream.isTTY === true && env["TERM"] !== "dumb";
  return pc.createColors(!isPlain && (isTerminal || (env["FORCE_COLOR"] ?? "0") !== "0"));
}

/** Runs a script's `main`: its number is the exit code, a thrown error becomes words and a code. */
export async function runProgram(name: string, main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.exitCode = error instanceof UsageError ? 1 : 2;
    process.stderr.write(`${name}: ${wordsOf(error)}\n`);
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof BrokenPromiseError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
