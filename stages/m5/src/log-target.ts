// Where the bytes of a log go: a file descriptor, such as standard output, behind one function that never blocks. A pipe or
// terminal without room says so at once; a file or socket is written by another thread.

import { constants, fstatSync, openSync, write, writeSync } from "node:fs";
import { isatty } from "node:tty";

export interface LogTarget {
  /** Whole lines up to this many bytes are written at once. */
  readonly pieceBytes: number;
  /** A file takes only a part when its disk is full; by the time of the next write, somebody may have emptied it. */
  readonly isFile: boolean;
  /**
   * Writes some bytes of `bytes` and returns how many.
   * @throws Error with the system's code; `EAGAIN` when the reader is behind
   */
  readonly write: (bytes: Buffer, start: number, length: number) => number | Promise<number>;
}

/**
 * `PIPE_BUF` of Linux. A pipe or socket takes this much in one piece, so that several processes can write to it and every
 * line stays whole. A longer line may be torn, and only while the reader is behind.
 * @see https://man7.org/linux/man-pages/man7/pipe.7.html
 */
const streamPieceBytes = 4096;
/** A file takes each write in one piece, and each one costs a trip to another thread. */
const filePieceBytes = 1024 * 1024;

export function openTarget(fd: number): LogTarget {
  const { isFile, isSocket } = kindOf(fd);
  const own = isFile || isSocket ? undefined : openNonBlocking(fd);
  return {
    pieceBytes: isFile ? filePieceBytes : streamPieceBytes,
    isFile,
    write: (bytes, start, length) =>
      own === undefined ? writeInThread(fd, bytes, start, length) : writeSync(own, bytes, start, length),
  };
}

/**
 * The same pipe or terminal, opened once more, so that a write never waits. Setting that flag on `fd` would be wrong: all
 * processes that share `fd` share the flag, such as the user's shell, and each Node that exits clears it for all.
 */
function openNonBlocking(fd: number): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // There is no /proc, another user opened it, or its reader has left.
    return undefined;
  }
}

function writeInThread(fd: number, bytes: Buffer, start: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, start, length, null, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

/** Anything that is not a pipe, socket or terminal is written like a file. */
function kindOf(fd: number): { readonly isFile: boolean; readonly isSocket: boolean } {
  try {
    const stats = fstatSync(fd);
    const isSocket = stats.isSocket();
    return { isFile: !isSocket && !stats.isFIFO() && !isatty(fd), isSocket };
  } catch {
    return { isFile: true, isSocket: false };
  }
}
