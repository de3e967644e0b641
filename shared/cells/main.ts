// Runs one demo cell as a process of its own, so that a demo can kill it.
//
//   NAME=tier1 PORT=9001 node shared/cells/main.ts
//
// HOST is 127.0.0.1 unless set. Prints {"event":"ready","name":…,"url":…} once it accepts connections.
// SIGTERM and SIGINT stop it at once: a cell that goes away is what the router has to cope with.

import { takeNoArguments } from "../testkit/no-arguments.ts";
import { startCell } from "./cell.ts";

takeNoArguments(`Usage: node shared/cells/main.ts
  Starts one demo cell. Settings are environment variables: NAME (cell), PORT (any free one), HOST (127.0.0.1)`);

const name = process.env["NAME"] ?? "cell";
const port = Number(process.env["PORT"] ?? 0);
const host = process.env["HOST"] ?? "127.0.0.1";

if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(`PORT must be a whole number from 0 to 65535; got "${process.env["PORT"]}"`);
  process.exit(1);
}

try {
  const cell = await startCell({ name, port, host });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => void cell.close().then(() => process.exit(0)));
  }
  console.log(JSON.stringify({ event: "ready", name, url: cell.url, pid: process.pid }));
} catch (error) {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") console.error(`Cell "${name}": port ${port} is taken; set PORT to a free one`);
  else
    console.error(`Cell "${name}" cannot start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
