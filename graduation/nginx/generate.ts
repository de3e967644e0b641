// Prints the nginx configuration of a routing file.
//
//   npx tsx graduation/nginx/generate.ts stages/m4/routing.resilience.json
//
// Exit codes: 0 printed, 1 the file cannot be read, or holds no table that nginx can serve.

import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runCommand, UsageError } from "../../scripts/command-line.ts";
import { decodeTable } from "../../stages/m4/src/table-decoder.ts";
import { nginxConfiguration } from "./configuration.ts";
import { UnsupportedTableError } from "./upstreams.ts";

const usage = `Usage: npx tsx graduation/nginx/generate.ts FILE [flags]
  --listen ADDRESS  where clients connect (127.0.0.1:8080)
  --directory PATH  for nginx's process id, log and socket (cell-routing-nginx in the temporary folder)
  --help            this text`;

const options = { listen: { type: "string" }, directory: { type: "string" } } as const;

await runCommand({ name: "generate", usage, options }, async (values, [file, ...others]) => {
  if (file === undefined || others.length > 0) throw new UsageError("name one routing file");
  const decoded = decodeTable(readBytes(file));
  if (!decoded.ok) throw new UsageError(`${file} holds no routing table: ${decoded.faults.join("; ")}`);
  const { listen = "127.0.0.1:8080" } = values;
  const directory = resolve(values.directory ?? join(tmpdir(), "cell-routing-nginx"));
  try {
    const text = nginxConfiguration(decoded.table, { listen, directory, generation: 1 });
    // nginx makes its files there, and not the folder itself.
    process.stdout.write(`# First, also for nginx -t: mkdir -p -m 700 ${quotedForShell(directory)}\n${text}`);
  } catch (error) {
    throw error instanceof UnsupportedTableError ? new UsageError(error.message) : error;
  }
  return 0;
});

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

function quotedForShell(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
