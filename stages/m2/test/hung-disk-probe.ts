// Loaded into a router with `--import`: from SIGUSR2 on, whoever opens the routing file waits in the system for ever, as on a
// network mount that does not answer. A named pipe that nobody writes to does the same, when it is opened to be waited for.

import files from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

const pipe = process.env["HUNG_PIPE"];

if (isMainThread && pipe !== undefined) {
  const { open } = files;
  process.on("SIGUSR2", () => {
    files.open = (path, ...rest) => {
      if (!String(path).endsWith("routing.json")) return open(path, ...rest);
      process.stdout.write(`${JSON.stringify({ event: "hangs" })}\n`);
      return open(pipe, "r");
    };
    syncBuiltinESMExports();
  });
}
