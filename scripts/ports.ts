// Ports that a stack needs: are they free, and who holds one that is not?

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { basename } from "node:path";

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
  try {
    const inodes = listeningInodes(port);
    if (inodes.size === 0) return undefined;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      if (holdsSocket(pid, inodes)) return `pid ${pid} (${commandLine(pid)})`;
    }
  } catch {
    // No /proc: the port is busy all the same, and the caller says so.
  }
  return undefined;
}

function listeningInodes(port: number): Set<string> {
  const listening = "0A";
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const row of readFileSync(table, "utf8").split("\n").slice(1)) {
      const columns = row.trim().split(/\s+/);
      const inode = columns[9];
      if (columns[3] === listening && columns[1]?.endsWith(`:${hexPort}`) && inode) inodes.add(inode);
    }
  }
  return inodes;
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? "");
    });
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}

function commandLine(pid: string): string {
  // A script given as an argument has lines of its own; what is told about a busy port is one line. The program goes by
  // its name alone: its folder, which may be long, would push out the words that tell one program from another.
  const [program = "", ...words] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const line = [basename(program), ...words].join(" ").replace(/\s+/g, " ").trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
