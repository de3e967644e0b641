// Where a result goes: the kept JSON file, the site's file when asked, and standard output; progress goes to standard error.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export type Delivery = {
  /** The result as JSON on standard output. */
  readonly json: boolean;
  /** Of the file that is kept. */
  readonly resultName: string;
  /** A second file to write the result to, or undefined. */
  readonly out: string | undefined;
};

/** Writes the files and prints the result: JSON with `--json`, else the text. */
export function deliver(options: Delivery, result: object, text: string): void {
  const json = `${JSON.stringify(result, null, 2)}\n`;
  const kept = join(import.meta.dirname, "results", `${options.resultName}.json`);
  for (const file of [kept, ...(options.out === undefined ? [] : [options.out])]) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, json);
  }
  console.log(options.json ? json.trimEnd() : text);
}

/** One line that rewrites itself on a terminal; nothing at all in a pipe. */
export function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${line}`);
}
