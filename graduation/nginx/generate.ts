// Prints the nginx configuration of a routing file.
//
//   npx tsx graduation/nginx/generate.ts stages/m4/routing.resilience.json
//
// Exit codes: 0 printed, 1 the file holds no table that nginx can serve.

import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  const decoded = decodeTable(readFileSync(file));
  if (!decoded.ok) throw new UsageError(`${file} holds no routing table: ${decoded.faults.join("; ")}`);
  const { listen = "127.0.0.1:8080", directory = join(tmpdir(), "cell-routing-nginx") } = values;
  try {
    process.stdout.write(nginxConfiguration(decoded.table, { listen, directory, generation: 1 }));
  } catch (error) {
    throw error instanceof UnsupportedTableError ? new UsageError(error.message) : error;
  }
  return 0;
});
