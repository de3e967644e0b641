// Ports that a stack needs: are they free, and who holds one that is not?

import { createServer } from "node:net";
import { basename } from "node:path";
import { commandOf, pidsListeningOn } from "../shared/testkit/process-by-port.ts";

export interface PortNeed {
  readonly port: number;
  /** Who needs it: `router`, `cell visa`. */
  readonly name: string;
}

/** The first port that somebody else holds, or undefined. Port 0 is always free: the system picks one. */
export async function firstBusyPort(needs: readonly PortNeed[]): Promise<PortNeed | undefined> {
  for (const need of needs) {
    if (need.port !== 0 && !(await isFree(need.port))) return need;
  }
  return undefined;
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") resolve(false);
    // Ports under 1024 need rights; the message of the system says so best.
    else reject(error);
  });
  server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  return promise;
}

/**
 * Who listens on `port`, as `pid 4242 (node server.js)`; undefined where the system does not tell: on other systems
 * than Linux, or when the process belongs to another user.
 */
export function portHolder(port: number): string | undefined {
  const [pid] = pidsListeningOn(port);
  return pid === undefined ? undefined : `pid ${pid} (${commandLine(pid)})`;
}

function commandLine(pid: number): string {
  // A script given as an argument has lines of its own; what is told about a busy port is one line. The program goes by
  // its name alone: its folder, which may be long, would push out the words that tell one program from another.
  const [program = "", ...words] = commandOf(pid);
  const line = [basename(program), ...words].join(" ").replace(/\s+/g, " ").trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
