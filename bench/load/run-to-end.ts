// Runs a load generator until it ends by itself, bounded in time, and hands back its standard output.
import { spawn } from "node:child_process";

export type RunOptions = {
  /** How long it means to run; it is killed 15 s after that. */
  readonly seconds: number;
  readonly signal: AbortSignal;
};

/** @throws Error when it fails, cannot start or overstays. */
export function runToEnd(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout((options.seconds + 15) * 1000)]);
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
    let [output, words] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} failed (${code}): ${(words || output).trim().slice(-500)}`));
    });
  });
}
