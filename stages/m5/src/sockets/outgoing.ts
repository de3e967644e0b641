// Gathers what one read has brought for the other side and sends it at once: a head and the body that came with it are one
// write, and a write is the most expensive thing that a proxy does.

import type { Socket } from "node:net";
import type { ChunkedSink } from "../http1/chunked-reader.ts";
import type { ConnectionOptions } from "../http1/connection-options.ts";
import type { FieldSection } from "../http1/field-section.ts";
import { passedTrailers } from "../http1/head-writer.ts";
import type { RawSockets, WriteOutcome } from "./raw-sockets.ts";

/**
 * Up to here text is cheaper than bytes: Node encodes a string of this size on the stack and hands it to the system without an
 * allocation.
 */
const maxTextBytes = 16_384;

export class Outgoing implements ChunkedSink {
  readonly #socket: Socket;
  readonly #raw: RawSockets | undefined;
  readonly #onDrain: () => void;
  /** Latin-1: one character a byte. */
  #text = "";
  #corked = false;
  /** The socket is used as a stream: always without the raw interface, else while the stream holds bytes back. */
  #streaming: boolean;
  /** Raw writes that the system has not taken whole. */
  #queued = 0;
  #writes = 0;
  /** Of those, the system has taken this many since. */
  #rawTaken = 0;
  #whenWritten: (() => void) | undefined;
  /** A write has failed: the other side is gone, and the socket's `close` follows. */
  failed = false;
  /** Whether bytes are to be wrapped in chunks: the receiver must see the end of a body that has none of its own. */
  chunking = false;
  /** Decides which trailers stop here: the options of the message that is under way. */
  connection: ConnectionOptions | undefined;

  /** @param onDrain The receiver has caught up after `flush` said false. */
  constructor(socket: Socket, raw: RawSockets | undefined, onDrain: () => void) {
    this.#socket = socket;
    this.#raw = raw;
    this.#streaming = raw === undefined;
    this.#onDrain = onDrain;
    socket.on("drain", () => this.#drained());
  }

  // #region gather
  text(latin1: string): void {
    this.#text += latin1;
  }

  /** Takes bytes whose buffer the caller will use again. */
  bodyBytes(bytes: Buffer, from: number, to: number): void {
    const size = to - from;
    if (size === 0) return;
    if (this.chunking) this.#text += `${size.toString(16)}\r\n`;
    if (this.#text.length + size <= maxTextBytes) this.#text += bytes.toString("latin1", from, to);
    else this.#writeCopy(bytes, from, to);
    if (this.chunking) this.#text += "\r\n";
  }

  bodyText(latin1: string): void {
    this.#text += latin1;
  }

  /** The end of a body that was wrapped in chunks. */
  endChunks(): void {
    if (this.chunking) this.#text += "0\r\n\r\n";
    this.chunking = false;
  }

  trailers(section: FieldSection): string {
    return this.connection === undefined ? "" : passedTrailers(section, this.connection);
  }

  /** Forgets what was gathered. */
  clear(): void {
    this.#text = "";
    this.chunking = false;
  }
  // #endregion gather

  // #region flush
  /** Sends what was gathered. Returns false when the receiver must catch up before more is read for it. */
  flush(): boolean {
    const text = this.#text;
    if (text !== "") {
      this.#text = "";
      this.#writes++;
      if (this.#raw === undefined || this.#streaming) this.#socket.write(text, "latin1");
      else this.#note(this.#raw.write(this.#socket, text, this.#onRawWritten));
    }
    if (!this.#streaming) return this.#queued === 0;
    if (this.#corked) {
      this.#corked = false;
      this.#socket.uncork();
    }
    // Past the stream only while the stream has nothing left: what is sent must not overtake.
    this.#streaming = this.#raw === undefined || this.#socket.writableLength > 0;
    return this.#queued === 0 && !this.#socket.writableNeedDrain;
  }
  // #endregion flush

  /** How often something was sent: two equal numbers mean that what was gathered in between has not left yet. */
  get writes(): number {
    return this.#writes;
  }

  /** Everything that was sent is in the hands of the system. */
  get written(): boolean {
    return this.#queued === 0 && (!this.#streaming || this.#socket.writableLength === 0);
  }

  /** Grows whenever the system takes something that waited: a slow receiver is not one that stands still. */
  get taken(): number {
    return this.#raw === undefined ? this.#socket.bytesWritten - this.#socket.writableLength : this.#rawTaken;
  }

  /** Calls back once everything that was sent is in the hands of the system; at once where it is. */
  whenWritten(callback: () => void): void {
    if (this.written) return callback();
    if (this.#queued > 0) this.#whenWritten = callback;
    // Nothing, behind everything else: its turn comes when all has been written.
    else this.#socket.write("", () => callback());
  }

  #note(outcome: WriteOutcome): void {
    if (outcome === "queued") this.#queued++;
    else if (outcome !== "written") this.#fail();
  }

  #fail(): void {
    this.failed = true;
    this.#socket.destroy(new WriteError());
  }

  readonly #onRawWritten = (status: number): void => {
    this.#queued--;
    this.#rawTaken++;
    if (status < 0) this.#fail();
    else if (this.#queued === 0) this.#drained();
  };

  #drained(): void {
    if (this.#queued > 0 || this.#socket.destroyed) return;
    const callback = this.#whenWritten;
    this.#whenWritten = undefined;
    if (callback !== undefined) this.whenWritten(callback);
    else if (!this.#socket.writableNeedDrain) this.#onDrain();
  }

  #writeCopy(bytes: Buffer, from: number, to: number): void {
    // A cell may send any number of interim heads in front of a body; the raw write has room for one.
    if (this.#text.length > maxTextBytes * 2) this.flush();
    const text = this.#text;
    this.#text = "";
    this.#writes++;
    if (this.#raw !== undefined && !this.#streaming) {
      const piece = bytes.subarray(from, to);
      return this.#note(this.#raw.writeWithBytes(this.#socket, text, piece, this.#onRawWritten));
    }
    this.#streaming = true;
    if (text !== "") {
      // Two writes become one system call.
      if (!this.#corked) this.#socket.cork();
      this.#corked = true;
      this.#socket.write(text, "latin1");
    }
    const copy = Buffer.allocUnsafeSlow(to - from);
    bytes.copy(copy, 0, from, to);
    this.#socket.write(copy);
  }
}

/** The other side is gone; the socket's `close` tells the rest. */
class WriteError extends Error {
  override readonly name = "WriteError";
  readonly code = "EPIPE";

  constructor() {
    super("Cannot write: the connection is broken");
  }
}
