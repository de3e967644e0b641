// Preloaded (`node --import`) into every process that a script starts: it ends the process when the script is gone,
// even after a SIGKILL, which leaves the script no chance to tidy up. The script holds the other end of descriptor 3;
// the kernel closes it with the script. Nothing in a stage has to know about this.

import { Socket } from "node:net";
import { isMainThread } from "node:worker_threads";

const parent = process.env["EXIT_WITH_PARENT"];
// Workers that the process starts inherit this preload, but not descriptor 3.
if (isMainThread && parent !== undefined && Number(parent) === process.ppid) {
  delete process.env["EXIT_WITH_PARENT"];
  const lifeline = new Socket({ fd: 3, readable: true, writable: false });
  lifeline.on("error", () => {});
  // Not SIGTERM: with the script, the reader of the log is gone too, and a log that is flushed while its pipe is
  // broken may hold the event loop for ever, and with it every timer that could end the process later.
  lifeline.on("close", () => process.kill(process.pid, "SIGKILL"));
  lifeline.resume();
  // An open lifeline must not keep a process running that has nothing left to do.
  lifeline.unref();
}
