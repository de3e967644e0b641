// Everything in this router that is no public API of Node, behind two functions and a check. Node's sockets are streams, and a
// stream's bookkeeping costs more than reading and writing a small message does. The handle below a socket does the same
// work without it; Node may change it at any time, so where it is not as expected, the router does without.

import { Socket } from "node:net";
import type { RawSockets, WriteOutcome } from "../sockets/raw-sockets.ts";

/** The handle of a socket, as far as it is used here. */
interface TcpHandle {
  /**
   * Node 26 takes null for the request. It returns 0 when the system has taken everything, a negative error number, or the
   * request that it has made for the rest. Node 24 takes the request, and always returns a number.
   */
  writeLatin1String(request: WriteRequest | null, text: string): number | WriteRequest;
  writeBuffer(request: WriteRequest | null, bytes: Uint8Array): number | WriteRequest;
}

/** A write that the system has not finished yet. */
interface WriteRequest {
  oncomplete: ((status: number) => void) | null;
  /** Keeps the bytes alive while the system has not taken them. */
  buffer?: Uint8Array | null;
  /** The result, where the write has ended before anybody could set `oncomplete`. */
  readonly writeStatus?: number | null;
  /** Negative unless a write is under way. */
  getAsyncId(): number;
}

type WriteRequestClass = new () => WriteRequest;

type SocketWithHandle = { _handle?: TcpHandle | null };

/** The largest read, and a head in front of it. */
const scratchBytes = 65_536 + 32_768;

export class RawTcp implements RawSockets {
  readonly #Request: WriteRequestClass | null;
  /** Null where Node makes requests itself. Used again and again: a write that ends at once leaves no trace in it. */
  #spare: WriteRequest | null;
  /** So is this, for what is too large to be written as text. */
  #scratch = Buffer.allocUnsafeSlow(scratchBytes);

  private constructor(Request: WriteRequestClass | null) {
    this.#Request = Request;
    this.#spare = Request && new Request();
  }

  /** The raw interface, or undefined where this Node has none like it. */
  static load(): RawTcp | undefined {
    try {
      const Request = requestClass();
      if (Request === undefined) return undefined;
      const knowsItsWrite = Request === null || new Request().getAsyncId() < 0;
      return knowsItsWrite ? new RawTcp(Request) : undefined;
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
    if (request !== null) request.oncomplete = whenWritten;
    const returned = handle.writeLatin1String(request, text);
    return returned === 0 && request === null ? "written" : this.#outcome(returned, undefined, whenWritten);
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
    if (request !== null) request.oncomplete = whenWritten;
    return this.#outcome(handle.writeBuffer(request, whole), whole, whenWritten);
  }

  #outcome(
    returned: number | WriteRequest,
    bytes: Uint8Array | undefined,
    whenWritten: (status: number) => void,
  ): WriteOutcome {
    const failed = typeof returned === "number" && returned !== 0;
    const request = typeof returned === "number" ? this.#spare : returned;
    if (request === null || failed) return returned === 0 ? "written" : (returned as number);
    if (request.writeStatus != null) return request.writeStatus < 0 ? request.writeStatus : "written";
    // A spare that nobody uses: everything is written. A new request that nobody uses: nothing is.
    if (request.getAsyncId() < 0) return returned === 0 ? "written" : -1;
    request.oncomplete = whenWritten;
    // The system still needs the request, and the bytes, until it calls back.
    if (bytes !== undefined) {
      request.buffer = bytes;
      this.#scratch = Buffer.allocUnsafeSlow(scratchBytes);
    }
    this.#spare = this.#Request && new this.#Request();
    return "queued";
  }
  // #endregion write
}

function isTcpHandle(handle: TcpHandle | null | undefined): handle is TcpHandle {
  return typeof handle?.writeLatin1String === "function" && typeof handle.writeBuffer === "function";
}

/**
 * What this Node hands to a handle when a socket writes: the class of the request, null where the handle makes it, or
 * undefined for anything else. A handle that only listens tells: passing the wrong one to a real handle ends the process.
 */
function requestClass(): WriteRequestClass | null | undefined {
  let passed: unknown;
  const handle = {
    readStart: () => 0,
    readStop: () => 0,
    close: () => {},
    writeLatin1String: (request: unknown) => {
      passed = request;
      return 0;
    },
  };
  const socket = new Socket({ handle, manualStart: true } as object);
  socket.on("error", () => {});
  socket.write("?", "latin1");
  socket.destroy();
  if (passed === null) return null;
  return typeof passed === "object" ? (passed.constructor as WriteRequestClass) : undefined;
}
