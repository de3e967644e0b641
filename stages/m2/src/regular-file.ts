// Reads a file at a path that somebody else fills: only a regular file, only so much of it, and with a deadline. A named
// pipe, a device, a file without end or a network mount that hangs is a fault to report, not a reason to stop.

import { constants, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import type { Clock } from "./clock.ts";

export interface RegularFile {
  readonly bytes: Buffer;
  readonly modifiedAt: Date;
}

// #region regular-file
/** @throws Error with a code that says why there is nothing to read: no regular file, or larger than `maxBytes` */
export async function readRegularFile(path: string, maxBytes: number): Promise<RegularFile> {
  // Non-blocking: to open a named pipe would otherwise wait for a writer. (Windows knows neither flag, nor such pipes.)
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  const fault = (code: string, what: string) => Object.assign(new Error(`${what}, open '${path}'`), { code });
  await using file = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
    // Linux says this to whoever opens a socket, or a device that is not there.
    throw error.code === "ENXIO" ? fault("EFTYPE", "a socket or a device, not a regular file") : error;
  });
  // Of the open file, not of the path: by now, that may lead to something else.
  const stats = await file.stat();
  if (!stats.isFile()) throw fault("EFTYPE", `${kindOf(stats)}, not a regular file`);
  const chunks: Buffer[] = [];
  // The size only says how much to ask for: the file may grow meanwhile, and those in /proc have none.
  let free = Math.min(stats.size, maxBytes) + 1;
  for (let bytes = 0; bytes <= maxBytes; free = 64 * 1024) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(free));
    if (bytesRead === 0) return { bytes: Buffer.concat(chunks), modifiedAt: stats.mtime };
    chunks.push(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
  throw fault("EFBIG", `larger than ${maxBytes} bytes`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  return stats.isSocket() ? "a socket" : "a device";
}
// #endregion regular-file

/**
 * Gives `operation` a deadline: then the promise rejects. The operation itself goes on, because the system cannot cancel
 * it, and a call in the meantime waits for the same one: a mount that hangs costs one of the few threads that Node has
 * for files, and not one more with each look.
 */
export function withDeadline<T>(
  operation: () => Promise<T>,
  deadlineMs: number,
  clock: Clock,
): (signal?: AbortSignal) => Promise<T> {
  let underWay: Promise<T> | undefined;
  return async (signal) => {
    underWay ??= leftBehindAtExit(operation()).finally(() => {
      underWay = undefined;
    });
    const done = new AbortController();
    const signals = signal === undefined ? [done.signal] : [done.signal, signal];
    const late = clock.sleep(deadlineMs, AbortSignal.any(signals)).then(() => {
      throw new Error(`the file system has not answered within ${deadlineMs} ms`);
    });
    late.catch(() => {});
    return Promise.race([underWay, late]).finally(() => done.abort());
  };
}

/**
 * Lets the process end while `operation` is under way. `process.exit` waits for the threads that work on files, for ever if
 * one hangs; but a process that becomes another program loses its threads. This one becomes a Node that ends at once.
 */
async function leftBehindAtExit<T>(operation: Promise<T>): Promise<T> {
  const leave = (code: number): void => {
    try {
      process.execve?.(process.execPath, [process.execPath, "-e", `process.exit(${code})`], {});
    } catch {
      // Not on this system.
    }
    process.kill(process.pid, "SIGKILL");
  };
  process.on("exit", leave);
  try {
    return await operation;
  } finally {
    process.off("exit", leave);
  }
}
