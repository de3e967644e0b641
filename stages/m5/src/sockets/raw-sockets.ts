// What the connections use of a socket below its stream, where something offers that. Types only: `trim/raw-tcp.ts` offers it, and
// without it sockets are used as the streams that they are.

import type { Socket } from "node:net";

/** `written`: the system has all of it. `queued`: `whenWritten` will be called. A number is an error. */
export type WriteOutcome = "written" | "queued" | number;

export interface RawSockets {
  /** Takes an accepted, paused socket over into one that reads into `buffer`; undefined where it cannot. */
  adopt(accepted: Socket, buffer: Buffer, onBytes: (bytes: Buffer, size: number) => void): Socket | undefined;
  /** Writes past the stream, whose own queue must be empty. `whenWritten` is called for what was queued. */
  write(socket: Socket, text: string, whenWritten: (status: number) => void): WriteOutcome;
  /** Writes `text`, of at most 32 KiB, and a copy of `bytes`, of at most 64 KiB, at once. */
  writeWithBytes(
    socket: Socket,
    text: string,
    bytes: Uint8Array,
    whenWritten: (status: number) => void,
  ): WriteOutcome;
}
