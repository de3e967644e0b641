// One connection to a cell: connects, carries one exchange at a time, and says exactly how each ended. What comes over it is read
// by `response-reader.ts`; what becomes of it is its user's business, and where it waits between two exchanges, the pool's.

import { connect, type Socket } from "node:net";
import type { FaultReport } from "./fault-report.ts";
import { Outgoing } from "./outgoing.ts";
import type { RawSockets } from "./raw-sockets.ts";
import { ResponseReader } from "./response-reader.ts";
import type { Ticker, Timed } from "./ticker.ts";
import { connectFailure, type UpstreamFailure } from "./upstream-failure.ts";
import { type Turn, type UpstreamLimits, UpstreamTime } from "./upstream-time.ts";
import type { UpstreamUser } from "./upstream-user.ts";

type State = "connecting" | "busy" | "idle" | "closed";

/** One for all connections: what is read is used or copied before anything else is read. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

// #region upstream-connection
export class UpstreamConnection implements Timed {
  readonly outgoing: Outgoing;
  /** A response has come over this connection before. */
  used = false;
  /** When this connection is too old to be used again, by the clock. */
  restsUntilMs = 0;
  /** Called once, when the connection is gone. */
  onGone: () => void = () => {};
  readonly #socket: Socket;
  readonly #ticker: Ticker;
  readonly #time: UpstreamTime;
  readonly #report: FaultReport;
  readonly #reader = new ResponseReader();
  #state: State = "connecting";
  #user: UpstreamUser | undefined;
  #cause = "";

  constructor(
    address: { host: string; port: number },
    ticker: Ticker,
    limits: UpstreamLimits,
    raw: RawSockets | undefined,
    report: FaultReport,
  ) {
    this.#ticker = ticker;
    this.#time = new UpstreamTime(ticker, limits);
    this.#report = report;
    const callback = (size: number, bytes: Uint8Array): boolean => {
      this.#onBytes(bytes as Buffer, size);
      return true;
    };
    this.#socket = connect({ ...address, noDelay: true, onread: { buffer: readBuffer, callback } });
    this.outgoing = new Outgoing(this.#socket, raw, () => this.#guard(() => this.#user?.onDrain()));
    ticker.add(this);
    this.#socket
      .on("connect", () => this.#guard(this.#onConnect))
      .on("end", () => this.#guard(this.#onEnd))
      .on("error", (error: NodeJS.ErrnoException) => {
        this.#cause = error.code ?? "";
      })
      .on("close", () => this.#guard(this.#onClose));
  }

  /** When the present limit ends. While idle, the pool's. */
  get deadlineMs(): number {
    return this.#time.deadlineMs;
  }

  /** Part of the response to the present request has come. */
  get responseStarted(): boolean {
    return this.#reader.started;
  }

  /** Content of the present response so far, in bytes. */
  get contentBytes(): number {
    return this.#reader.contentBytes;
  }

  /** Gives the connection to an exchange. `onConnected` comes at once where it stands already. */
  begin(user: UpstreamUser, method: string): void {
    this.#user = user;
    this.#reader.begin(method);
    if (this.#state === "idle") this.#onConnect();
  }

  /** Says whose turn it is, while the response's head has not come. */
  awaits(turn: Turn): void {
    if (this.#state === "busy" && !this.#reader.inBody) this.#time.awaits(turn, this.outgoing.taken);
  }

  /** Calls back once the system has the whole request so far; at once where it does. */
  whenWritten(callback: () => void): void {
    if (this.outgoing.written) return callback();
    this.outgoing.whenWritten(() => this.#guard(callback));
  }

  /** Stops reading: the client must catch up first. */
  pause(): void {
    this.#socket.pause();
    this.#time.stop();
  }

  resume(): void {
    this.#socket.resume();
    if (this.#reader.inBody) this.#time.awaitsBody();
    else this.#time.awaitsAgain(this.outgoing.taken);
  }

  /** Takes the connection back from its exchange, to wait until `deadlineMs` at most. */
  rest(idleTimeoutMs: number): void {
    this.#user = undefined;
    this.#state = "idle";
    this.restsUntilMs = this.#time.rests(idleTimeoutMs);
  }

  /** Ends the connection at once; its user hears nothing more. */
  destroy(): void {
    this.#user = undefined;
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#ticker.delete(this);
    // At once, not when the socket has closed: until then the pool would hand it out.
    this.onGone();
    this.#socket.destroy();
  }

  onDeadline(): void {
    this.#guard(this.#onLimit);
  }

  #onLimit(): void {
    this.#time.stop();
    if (this.#state === "idle") return this.destroy();
    if (this.#state === "connecting") return this.#fail("connect-timeout", "ETIMEDOUT");
    if (this.#reader.inBody) return this.#fail("body-timeout", "ETIMEDOUT");
    if (this.#time.isReading(this.outgoing.taken)) this.awaits("read");
    else this.#fail("head-timeout", "ETIMEDOUT");
  }
  // #endregion upstream-connection

  /** Runs a step that the system asks for. What it throws costs this connection and its exchange, and nothing else. */
  #guard(step: () => void): void {
    const user = this.#user;
    try {
      step.call(this);
    } catch (error) {
      this.#contain(error, user);
    }
  }

  #contain(error: unknown, user: UpstreamUser | undefined): void {
    this.destroy();
    if (user === undefined) this.#report(error);
    else user.onThrow(error);
  }

  #onConnect(): void {
    this.#state = "busy";
    this.#time.stop();
    this.#user?.onConnected();
  }

  #onBytes(bytes: Buffer, size: number): void {
    const user = this.#user;
    try {
      this.#read(bytes, size, user);
    } catch (error) {
      this.#contain(error, user);
    }
  }

  #read(bytes: Buffer, size: number, user: UpstreamUser | undefined): void {
    // Bytes that nobody asked for: the next request must not get them as its response.
    if (user === undefined) return this.destroy();
    const reader = this.#reader;
    const progress = reader.read(bytes, size, user);
    // It has ended on the way, and this connection with it.
    if (this.#user !== user) return this.destroy();
    switch (progress) {
      case "partial":
        if (reader.inBody) this.#time.awaitsBody();
        if (!user.onReadEnd()) this.pause();
        return;
      case "whole":
        return this.#finish(user);
      case "discarded":
        return this.destroy();
      case "broken":
        return this.#fail("upstream-broken", reader.cause);
    }
  }

  #finish(user: UpstreamUser): void {
    this.#user = undefined;
    this.used = true;
    user.onResponseEnd(this.#reader.reusable);
  }

  /** The cell has ended its side. */
  #onEnd(): void {
    const user = this.#user;
    if (user !== undefined && this.#state === "busy" && this.#reader.end()) this.#finish(user);
    else this.#fail("upstream-broken", "FIN");
    this.destroy();
  }

  #onClose(): void {
    this.#fail(this.#state === "connecting" ? connectFailure(this.#cause) : "upstream-broken", this.#cause);
  }

  #fail(failure: UpstreamFailure, cause: string): void {
    const user = this.#user;
    this.destroy();
    user?.onFailure(failure, cause);
  }
}
