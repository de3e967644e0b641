// One connection to a cell, watched beside the HTTP client that uses it: how long the cell takes for its response, what it sends
// ahead of that response, and whether a failure may only mean that the cell had closed an idle connection.

import type { Socket } from "node:net";
import { errors } from "undici";
import type { Clock } from "./clock.ts";

export interface CellConnectionLimits {
  /** Time from the end of the request to the head of the response, in milliseconds; 0 for no limit. */
  readonly headTimeoutMs: number;
  /** How long the cell may read nothing of a request body that waits for it. */
  readonly stalledTimeoutMs: number;
}

/** Interim responses (1xx) ahead of one final response, in bytes: they are kept for a client that does not read. */
const maxInterimBytes = 65_536;

export class CellConnection {
  readonly #socket: Socket;
  readonly #limits: CellConnectionLimits;
  readonly #clock: Clock;
  /** A response has come over this connection before. */
  #used = false;
  /** Something has come since the present request went out. */
  #heard = false;
  #awaitsHead = false;
  #bodySent = false;
  #overdueAtMs = Number.POSITIVE_INFINITY;
  /** A piece of a head has come after the limit. */
  #overdue = false;
  #interimBytes = 0;
  /** While interim responses may come: the start of a head whose end is missing, or nothing. Undefined once the final one begins. */
  #partial: Buffer | undefined;

  constructor(socket: Socket, limits: CellConnectionLimits, clock: Clock) {
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    socket.on("timeout", () => this.#onTimeout());
    const read = socket.read;
    socket.read = (size?: number): Buffer | null => {
      for (;;) {
        const bytes: Buffer | null = read.call(socket, size);
        const passed = bytes === null ? null : this.#pass(bytes);
        if (passed !== undefined) return passed;
      }
    };
  }

  /** Whether the cell may have closed this connection before it read the present request. */
  get mayBeStale(): boolean {
    return this.#used && !this.#heard;
  }

  /** A request goes out. While its body is being sent, only a cell that reads nothing of it is late. */
  onRequest(): void {
    this.#heard = false;
    this.#awaitsHead = true;
    this.#bodySent = false;
    this.#overdueAtMs = Number.POSITIVE_INFINITY;
    this.#overdue = false;
    this.#interimBytes = 0;
    this.#partial = nothing;
    this.#socket.setTimeout(this.#limits.stalledTimeoutMs);
  }

  /** The request is whole: the time for the response begins. */
  onBodySent(): void {
    const { headTimeoutMs } = this.#limits;
    this.#bodySent = true;
    if (!this.#awaitsHead) return;
    this.#socket.setTimeout(headTimeoutMs);
    if (headTimeoutMs > 0) this.#overdueAtMs = this.#clock.now() + headTimeoutMs;
  }

  /** The head of the final response has come. */
  onHead(): void {
    this.#used = true;
    this.#awaitsHead = false;
    this.#socket.setTimeout(0);
  }

  /** Nothing has moved, in either direction, for as long as the limit says. */
  #onTimeout(): void {
    // Later, so that what came while this process stood still is read before it is missed.
    setImmediate(() => {
      if (!this.#awaitsHead) return;
      // The body waits for its client, for which the cell cannot be blamed.
      const waitsForClient = !this.#bodySent && this.#socket.writableLength === 0;
      if (waitsForClient) this.#socket.setTimeout(this.#limits.stalledTimeoutMs);
      else this.#socket.destroy(new errors.HeadersTimeoutError());
    });
  }

  /**
   * What the HTTP client may see of `bytes`; undefined for nothing. It treats a `100 Continue` that it did not ask for as an
   * error, and accepts any number of other interim responses.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.2
   */
  #pass(bytes: Buffer): Buffer | undefined {
    this.#heard = true;
    if (!this.#awaitsHead) return bytes;
    // A head that drips in keeps the connection moving. The first late piece may have waited while this process stood still.
    if (this.#overdue) return this.#fail(new errors.HeadersTimeoutError());
    this.#overdue = this.#clock.now() > this.#overdueAtMs;
    if (this.#partial === undefined) return bytes;
    let rest = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    const passed: Buffer[] = [];
    while (mayBeInterim(rest)) {
      const end = rest.indexOf("\r\n\r\n") + 4;
      const isWhole = end >= 4;
      if (this.#interimBytes + (isWhole ? end : rest.length) > maxInterimBytes)
        return this.#fail(new InterimResponsesError());
      if (!isWhole) {
        this.#partial = rest;
        return joined(passed);
      }
      this.#interimBytes += end;
      // The router has responded to the client's expectation itself, so nobody needs the cell's `100 Continue`.
      if (!isContinue(rest)) passed.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    this.#partial = rest.length === 0 ? nothing : undefined;
    if (rest.length > 0) passed.push(rest);
    return joined(passed);
  }

  #fail(error: Error): undefined {
    this.#socket.destroy(error);
    return undefined;
  }
}

const nothing = Buffer.alloc(0);
const firstInterimDigit = 0x31;

/** Whether `bytes` are the start of an interim response, or too few to tell. */
function mayBeInterim(bytes: Buffer): boolean {
  if (bytes.length === 0) return false;
  if (bytes.length > 9 && bytes[9] !== firstInterimDigit) return false;
  const start = bytes.toString("latin1", 0, 10);
  return "HTTP/1.1 1".startsWith(start) || "HTTP/1.0 1".startsWith(start);
}

function isContinue(head: Buffer): boolean {
  return head.toString("latin1", 9, 12) === "100";
}

function joined(pieces: readonly Buffer[]): Buffer | undefined {
  return pieces.length > 1 ? Buffer.concat(pieces) : pieces[0];
}

class InterimResponsesError extends Error {
  override readonly name = "InterimResponsesError";
  readonly code = "interim responses too large";

  constructor() {
    super(`Interim responses of more than ${maxInterimBytes} bytes came ahead of one response`);
  }
}
