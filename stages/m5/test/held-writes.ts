// A system that takes what is written only when a test lets it: stands in for the raw interface.

import type { Socket } from "node:net";
import type { RawSockets, WriteOutcome } from "../src/sockets/raw-sockets.ts";

interface HeldWrite {
  readonly socket: Socket;
  readonly bytes: string;
  readonly whenWritten: (status: number) => void;
}

export class HeldWrites {
  readonly #isHeld: (socket: Socket) => boolean;
  readonly #writes: HeldWrite[] = [];

  /** @param isHeld Whose writes wait; those of other sockets go through. */
  constructor(isHeld: (socket: Socket) => boolean) {
    this.#isHeld = isHeld;
  }

  get count(): number {
    return this.#writes.length;
  }

  get raw(): RawSockets {
    const write = (socket: Socket, text: string, whenWritten: (status: number) => void): WriteOutcome => {
      if (!this.#isHeld(socket)) {
        socket.write(text, "latin1");
        return "written";
      }
      this.#writes.push({ socket, bytes: text, whenWritten });
      return "queued";
    };
    const fallback: Pick<RawSockets, "adopt" | "write" | "writeWithBytes"> = {
      adopt: () => undefined,
      write,
      writeWithBytes: (socket, text, bytes, whenWritten) =>
        write(socket, text + Buffer.from(bytes).toString("latin1"), whenWritten),
    };
    return fallback as RawSockets;
  }

  /** The system takes the oldest write that waits. */
  take(): void {
    const held = this.#writes.shift();
    held?.socket.write(held.bytes, "latin1");
    held?.whenWritten(0);
  }
}
