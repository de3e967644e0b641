// Stands in for the stage's `sockets/outgoing.ts` while your `Outgoing` serves real traffic: always through the socket's stream,
// with what the stage asks about writes that are on their way.

import type { Socket } from "node:net";
import type { ChunkedSink } from "../../../../stages/m5/src/http1/chunked-reader.ts";
import type { ConnectionOptions } from "../../../../stages/m5/src/http1/connection-options.ts";
import type { FieldSection } from "../../../../stages/m5/src/http1/field-section.ts";
import { passedTrailers } from "../../../../stages/m5/src/http1/head-writer.ts";
import type { RawSockets } from "../../../../stages/m5/src/sockets/raw-sockets.ts";
import { type WriteTarget, Outgoing as YourOutgoing } from "../starter/outgoing.ts";

export class Outgoing implements ChunkedSink {
  readonly #socket: Socket;
  readonly #target: WriteTarget;
  #yours: YourOutgoing;
  #writes = 0;
  connection: ConnectionOptions | undefined;

  constructor(socket: Socket, _raw: RawSockets | undefined, onDrain: () => void) {
    this.#socket = socket;
    this.#target = {
      write: (data, encoding) => {
        this.#writes++;
        return typeof data === "string" ? socket.write(data, encoding) : socket.write(data);
      },
      cork: () => socket.cork(),
      uncork: () => socket.uncork(),
      get writableNeedDrain() {
        return socket.writableNeedDrain;
      },
    };
    this.#yours = new YourOutgoing(this.#target);
    socket.on("drain", () => {
      if (!socket.destroyed) onDrain();
    });
  }

  get chunking(): boolean {
    return this.#yours.chunking;
  }

  set chunking(value: boolean) {
    this.#yours.chunking = value;
  }

  text(latin1: string): void {
    this.#yours.text(latin1);
  }

  bodyText(latin1: string): void {
    this.#yours.text(latin1);
  }

  bodyBytes(bytes: Buffer, from: number, to: number): void {
    this.#yours.bodyBytes(bytes, from, to);
  }

  endChunks(): void {
    this.#yours.endChunks();
  }

  trailers(section: FieldSection): string {
    return this.connection === undefined ? "" : passedTrailers(section, this.connection);
  }

  clear(): void {
    this.#yours = new YourOutgoing(this.#target);
  }

  flush(): boolean {
    return this.#yours.flush();
  }

  get writes(): number {
    return this.#writes;
  }

  get written(): boolean {
    return this.#socket.writableLength === 0;
  }

  get failed(): boolean {
    return this.#socket.destroyed;
  }

  get taken(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  whenWritten(callback: () => void): void {
    if (this.written) return callback();
    // Nothing, behind everything else: its turn comes when all has been written.
    this.#socket.write("", () => callback());
  }
}
