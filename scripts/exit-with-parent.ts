// Preloaded (`node --import`) into every process that a script starts: it ends the process when the script is gone,
// even after a SIGKILL, which leaves the script no chance to tidy up. The script holds the other end of descriptor 3;
// the kernel closes it with the script. Nothing in a stage has to know about this.

import { Socket } from "node:net";
import { isMainThread } from "node:worker_threads";

/** Time that a process gets to finish its requests before it is ended outright. */
const graceMs = 1_000;

const parent = process.env["EXIT_WITH_PARENT"];
// Workers that the process starts inherit this preload, but not descriptor 3.
if (isMainThread && parent !== undefined && Number(parent) === process.ppid) {
  delete process.env["EXIT_WITH_PARENT"];
  const lifeline = new Socket({ fd: 3, readable: true, writable: false });
  lifeline.on("error", () => {});
  lifeline.on("close", () => {
    setTimeout(() => process.exit(1), graceMs);
    process.kill(process.pid, "SIGTERM");
  });
  lifeline.resume();
  // An open lifeline must not keep a process running that has nothing left to do.
  lifeline.unref();
}
