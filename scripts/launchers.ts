// The processes between the terminal and a script: `npm run stage` is npm, a shell, tsx, and only then the script.
// A signal to one of them does not always reach the script: the shell does not hand it on, and nothing can hand on a
// SIGKILL. A script that stays up watches them, so that the end of any of them is its own end.

import { commandOf, isRunning, parentOf } from "../shared/testkit/process-by-port.ts";

/** Rarely enough to cost nothing, often enough for the ports to be free when the next command starts. */
const everyMs = 250;

/** Resolves when one of the launchers is gone; never, when the script was started without one. */
export function launcherGone(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const pids = launchers();
  if (pids.length === 0) return promise;
  const timer = setInterval(() => {
    if (pids.every(isRunning)) return;
    clearInterval(timer);
    resolve();
  }, everyMs);
  timer.unref();
  return promise;
}

/** Process ids of tsx, the shell and npm, as far as they stand above this process. */
function launchers(): number[] {
  const pids: number[] = [];
  const underTsx = process.execArgv.some((argument) => argument.includes("tsx"));
  if (!underTsx && process.env["npm_lifecycle_event"] === undefined) return pids;
  let pid = process.ppid;
  // tsx, sh, npm: whoever started npm may end without us, as a terminal does under `nohup`.
  for (let level = 0; level < 3 && pid > 1; level++) {
    // Linux tells who the parent of any process is; elsewhere the script watches its own parent only.
    const parent = parentOf(pid);
    pids.push(pid);
    if (parent === undefined || !underTsx || /\bnpm\b[^/]* run|\bnpm-cli\.js/.test(commandOf(pid).join(" ")))
      break;
    pid = parent;
  }
  return pids;
}
