// A port on which connecting takes for ever: something listens and accepts nothing, and its queue of waiting connections is
// full, so that the system drops whoever else knocks. It is the nearest to an unplugged machine that one host offers.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface DeafPort extends AsyncDisposable {
  /** False where the system completes connections all the same. */
  readonly deaf: boolean;
}

/** Listens with the shortest queue, says so, and stops its only thread before it can accept. */
const deafListener = `
  const server = require("node:net").createServer();
  server.listen({ port: Number(process.argv[1]), host: "127.0.0.1", backlog: 1 }, () => {
    require("node:fs").writeSync(1, "listening\\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

/** How many connections may be completed before the queue counts as endless. */
const maxQueue = 8;

export async function openDeafPort(port: number): Promise<DeafPort> {
  const child = spawn(process.execPath, ["-e", deafListener, String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const fillers: Socket[] = [];
  let deaf = false;
  while (!deaf && fillers.length < maxQueue) {
    const socket = connect({ port, host: "127.0.0.1" }).on("error", () => {});
    fillers.push(socket);
    deaf = !(await connectsWithin(socket, 500));
  }
  return {
    deaf,
    [Symbol.asyncDispose]: async () => {
      for (const socket of fillers) socket.destroy();
      const exited = once(child, "close");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function connectsWithin(socket: Socket, ms: number): Promise<boolean> {
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(ms) });
    return true;
  } catch {
    return false;
  }
}
