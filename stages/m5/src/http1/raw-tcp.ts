// Everything in this router that is no public API of Node, behind two functions and a check. Node's sockets are streams, and a
// stream's bookkeeping costs more than reading and writing a small message does. The handle below a socket does the same
// work without it; Node may change it at any time, so where it is not as expected, the router does without.

import { Socket } from "node:net";

/** The handle of a socket, as far as it is used here. */
interface TcpHandle {
  /** Returns 0 or a negative error number. The request is not touched unless the write is left to be finished later. */
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

interface WriteRequest {
  oncomplete: (status: number) => void;
  /** Keeps the bytes alive while the system has not taken them. */
  buffer?: Uint8Array;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kLastWriteWasAsync: number;
}

type SocketWithHandle = { _handle?: TcpHandle | null };

/** The largest read, and a head in front of it. */
const scratchBytes = 65_536 + 32_768;

/** `written`: the system has all of it. `queued`: `whenWritten` will be called. A number is an error. */
export type WriteOutcome = "written" | "queued" | number;

export class RawTcp {
  readonly #binding: StreamBinding;
  /** Used again and again: a write that ends at once leaves no trace in it. */
  #spare: WriteRequest;
  /** So is this, for what is too large to be written as text. */
  #scratch = Buffer.allocUnsafeSlow(scratchBytes);

  private constructor(binding: StreamBinding) {
    this.#binding = binding;
    this.#spare = new binding.WriteWrap();
  }

  /** The raw interface, or undefined where this Node has none like it. */
  static load(): RawTcp | undefined {
    try {
      const { binding } = process as unknown as { binding(name: string): StreamBinding };
      const found = binding.call(process, "stream_wrap");
      const isKnown = typeof found.WriteWrap === "function" && typeof found.kLastWriteWasAsync === "number";
      return isKnown && found.streamBaseState instanceof Int32Array ? new RawTcp(found) : undefined;
    } catch {
      return undefined;
    }
  }

  // #region adopt
  /**
   * Takes an accepted, paused socket over into one that reads into `buffer`. Node offers that for sockets that connect, and
   * not for sockets that were accepted; the alternative is 64 KiB of fresh memory for every read.
   */
  adopt(
    accepted: Socket,
    buffer: Buffer,
    onBytes: (bytes: Buffer, size: number) => void,
  ): Socket | undefined {
    const handle = (accepted as SocketWithHandle)._handle;
    if (!isTcpHandle(handle)) return undefined;
    (accepted as SocketWithHandle)._handle = null;
    // Without its handle this closes nothing; the server counts it out.
    accepted.destroy();
    const callback = (size: number, bytes: Uint8Array): boolean => {
      onBytes(bytes as Buffer, size);
      return true;
    };
    return new Socket({ handle, onread: { buffer, callback } } as object);
  }
  // #endregion adopt

  // #region write
  /** Writes past the stream, whose own queue must be empty. */
  write(socket: Socket, text: string, whenWritten: (status: number) => void): WriteOutcome {
    const handle = (socket as SocketWithHandle)._handle;
    if (!isTcpHandle(handle)) return -1;
    const request = this.#spare;
    request.oncomplete = whenWritten;
    return this.#outcome(handle.writeLatin1String(request, text), undefined);
  }

  /** Writes `text`, of at most 32 KiB, and a copy of `bytes`, of at most 64 KiB, at once. */
  writeWithBytes(
    socket: Socket,
    text: string,
    bytes: Uint8Array,
    whenWritten: (status: number) => void,
  ): WriteOutcome {
    const handle = (socket as SocketWithHandle)._handle;
    if (!isTcpHandle(handle)) return -1;
    const scratch = this.#scratch;
    const start = scratch.write(text, "latin1");
    scratch.set(bytes, start);
    const whole = scratch.subarray(0, start + bytes.length);
    const request = this.#spare;
    request.oncomplete = whenWritten;
    return this.#outcome(handle.writeBuffer(request, whole), whole);
  }

  #outcome(error: number, bytes: Uint8Array | undefined): WriteOutcome {
    if (error !== 0) return error;
    if (this.#binding.streamBaseState[this.#binding.kLastWriteWasAsync] === 0) return "written";
    // The system still needs the request, and the bytes, until it calls back.
    if (bytes !== undefined) {
      this.#spare.buffer = bytes;
      this.#scratch = Buffer.allocUnsafeSlow(scratchBytes);
    }
    this.#spare = new this.#binding.WriteWrap();
    return "queued";
  }
  // #endregion write
}

function isTcpHandle(handle: TcpHandle | null | undefined): handle is TcpHandle {
  return typeof handle?.writeLatin1String === "function";
}
