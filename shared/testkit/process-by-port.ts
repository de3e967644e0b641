// Processes that this project need not have started: who listens on a port, who runs below whom. Linux only, but for
// `isRunning`: it reads /proc.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Process ids that hold a listening socket on `port`; empty where that cannot be known. */
export function pidsListeningOn(port: number): number[] {
  const inodes = new Set(listeners().flatMap((each) => (each.port === port ? each.inode : [])));
  if (inodes.size === 0) return [];
  return numericEntries("/proc").filter((pid) => socketInodes(pid).some((inode) => inodes.has(inode)));
}

/** Ports on which a process listens; empty where that cannot be known. */
export function portsListenedOnBy(pid: number): number[] {
  const inodes = new Set(socketInodes(pid));
  return listeners()
    .filter(({ inode }) => inodes.has(inode))
    .map(({ port }) => port);
}

/** A process and those that it started, directly or not: a router with workers is a tree. */
export function withDescendants(pid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const each of numericEntries("/proc")) {
    const parent = parentOf(each);
    if (parent !== undefined) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), each]);
  }
  const tree = [pid];
  for (const each of tree) tree.push(...(childrenOf.get(each) ?? []));
  return tree;
}

/** SIGKILL to those that a process has started, directly or not, in whichever process group they are. */
export function killDescendants(pid: number): void {
  for (const each of withDescendants(pid).slice(1)) {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // ESRCH: it has ended meanwhile.
    }
  }
}

/** Every listening socket of this machine. */
function listeners(): { readonly port: number; readonly inode: string }[] {
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) =>
    readText(table)
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        // sl, local_address, rem_address, st, …, inode: state 0A is LISTEN.
        const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
        if (state !== "0A" || inode === undefined) return [];
        return { port: Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16), inode };
      }),
  );
}

function socketInodes(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return numericEntries(directory).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${directory}/${fd}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
}

/** Process id of the one that started it; undefined where that cannot be known. */
export function parentOf(pid: number): number | undefined {
  // After the last ")": the command name may hold anything.
  const stat = readText(`/proc/${pid}/stat`);
  const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
  return parent === undefined ? undefined : Number(parent);
}

/** The program and its arguments; empty where they cannot be known. */
export function commandOf(pid: number): string[] {
  return readText(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
}

/** Works everywhere. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function numericEntries(directory: string): number[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
