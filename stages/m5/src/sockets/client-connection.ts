// One connection of a client: cuts its stream into requests and serves them in order, one at a time. Requests that come ahead of
// their turn wait unread. It knows when bytes may flow; what they mean is the exchange's business.

import type { Socket } from "node:net";
import { HeadReader } from "../http1/head-reader.ts";
import { type Refusal, refusal } from "../http1/refusal.ts";
import type { RawTcp } from "../trim/raw-tcp.ts";
import { Exchange } from "./exchange.ts";
import type { ClientSide, ExchangeHandler } from "./exchange-handler.ts";
import type { FaultReport } from "./fault-report.ts";
import { Outgoing } from "./outgoing.ts";
import { never, type Ticker, type Timed } from "./ticker.ts";

export interface ClientLimits {
  /** From a request's first byte to the end of its head, in milliseconds; a new connection has as long for its first. */
  readonly headTimeoutMs: number;
  /** From the start of a request's body to its end: the longest upload, pauses included. */
  readonly bodyTimeoutMs: number;
  /** An idle connection between two requests; above the 60 s of common load balancers, so that they close first. */
  readonly keepAliveTimeoutMs: number;
  /** A client that takes nothing of its answer. */
  readonly stalledTimeoutMs: number;
  /** After the last answer: how long the client may take to read it and close. */
  readonly lingerMs: number;
}

export const defaultClientLimits: ClientLimits = {
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 300_000,
  keepAliveTimeoutMs: 65_000,
  stalledTimeoutMs: 75_000,
  lingerMs: 1_000,
};

const headTimeout = refusal("the head did not come in time", "request-timeout");
const bodyTimeout = refusal("the body did not come in time", "request-timeout");
const nothing = Buffer.alloc(0);

/** The most that is read ahead of its turn, but for one read more, in bytes. */
const maxHeldBytes = 65_536;

/** One for all connections: what is read is used or copied before anything else is read. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

/** `head`: a request may come. `exchange`: one is being served. `closing`: what comes is of no interest any more. */
type State = "head" | "exchange" | "closing" | "closed";

export class ClientConnection<Context> implements ClientSide, Timed {
  readonly outgoing: Outgoing;
  draining = false;
  deadlineMs: number;
  /** Called once, when the connection is gone. */
  onGone: () => void = () => {};
  readonly #socket: Socket;
  readonly #ticker: Ticker;
  readonly #limits: ClientLimits;
  readonly #headReader = new HeadReader();
  readonly #exchange: Exchange<Context>;
  readonly #report: FaultReport;
  #address: string | undefined;
  #state: State = "head";
  /** Bytes that came ahead of their turn: the first `#heldBytes` of the buffer. */
  #held = nothing;
  #heldBytes = 0;
  #paused = false;
  /** A read is being worked off further up the call stack; what can be taken now will be taken there. */
  #reading = false;
  #bodyOpen = false;
  #bodyPaused = false;
  #closesWhenIdle = false;
  /** When the present request's body must have come to its end. */
  #bodyDeadlineMs = never;
  /** What the client had taken when its time to read began. */
  #takenBefore = 0;

  /** @param accepted As it was accepted: paused. */
  constructor(
    accepted: Socket,
    handler: ExchangeHandler<Context>,
    ticker: Ticker,
    limits: ClientLimits,
    raw: RawTcp | undefined,
  ) {
    this.#ticker = ticker;
    this.#limits = limits;
    this.#report = handler.report;
    this.deadlineMs = ticker.deadlineIn(limits.headTimeoutMs);
    this.#exchange = new Exchange(this, handler);
    const read = (bytes: Buffer, size: number): void => this.#read(bytes, size);
    this.#socket = raw?.adopt(accepted, readBuffer, read) ?? reading(accepted, read);
    this.outgoing = new Outgoing(this.#socket, raw, () => this.#guard(this.#onDrain));
    this.#socket
      .on("end", () => this.#guard(this.#onEnd))
      .on("error", () => {})
      .on("close", () => this.#guard(this.destroy));
    ticker.add(this);
  }

  get address(): string {
    this.#address ??= this.#socket.remoteAddress ?? "unknown";
    return this.#address;
  }

  /** Lets the present exchange finish, as the last one. */
  drain(): void {
    this.draining = true;
    this.#closesWhenIdle = true;
    const isIdle = this.#state === "head" && !this.#headReader.started;
    // What is left of a body whose response is out is for nobody.
    if (isIdle || (this.#state === "exchange" && this.#exchange.discards)) this.#guard(this.#close);
  }

  /** Ends the connection at once. */
  destroy(): void {
    if (this.#state === "closed") return;
    const isServing = this.#state === "exchange";
    this.#state = "closed";
    this.#forgetHeld();
    this.#ticker.delete(this);
    this.#socket.destroy();
    this.onGone();
    if (!isServing) return;
    try {
      this.#exchange.onClientGone();
    } catch (error) {
      this.#exchange.onThrow(error);
    }
  }

  onDeadline(): void {
    this.#guard(this.#onLimit);
  }

  #onLimit(): void {
    const isUploadLate = this.#bodyOpen && this.#bodyDeadlineMs <= this.deadlineMs;
    this.deadlineMs = never;
    if (this.#state === "head" && this.#headReader.started) this.#refuse(headTimeout);
    else if (this.#state === "exchange" && isUploadLate) this.#exchange.failBody(bodyTimeout);
    else if (this.#state === "exchange" && this.outgoing.taken !== this.#takenBefore) this.#limitExchange();
    else this.destroy();
  }

  /** Runs a step that the system asks for. What it throws costs this connection and its exchange, and nothing else. */
  #guard(step: () => void): void {
    try {
      step.call(this);
    } catch (error) {
      this.#contain(error);
    }
  }

  #contain(error: unknown): void {
    if (this.#state === "exchange") return this.#exchange.onThrow(error);
    this.#report(error);
    this.destroy();
  }

  // #region read-requests
  #read(bytes: Buffer, size: number): void {
    try {
      // What waits comes first.
      if (this.#heldBytes > 0) this.#hold(bytes, 0, size);
      else this.#readAll(bytes, size);
    } catch (error) {
      this.#reading = false;
      this.#contain(error);
    }
  }

  #readAll(bytes: Buffer, to: number): void {
    this.#reading = true;
    let at = 0;
    while (at < to) {
      if (this.#state === "head") at = this.#readHead(bytes, at, to);
      else if (this.#state === "exchange") {
        // What was held may be more than one read brings, which is the most that goes on in one piece.
        const pieceTo = Math.min(to, at + readBuffer.length);
        const next = this.#bodyPaused ? at : this.#exchange.readBody(bytes, at, pieceTo);
        if (next === at && this.#state === "exchange") {
          this.#hold(bytes, at, to);
          break;
        }
        at = next;
      } else break;
    }
    this.#reading = false;
    if (this.#bodyOpen) this.#endBodyRead();
  }

  #readHead(bytes: Buffer, from: number, to: number): number {
    const reader = this.#headReader;
    const started = reader.started;
    const progress = reader.push(bytes, from, to);
    if (progress === "partial") {
      if (!started) this.#limit(this.#limits.headTimeoutMs);
      return to;
    }
    this.#state = "exchange";
    const fault =
      progress === "complete" ? this.#exchange.parse(reader.bytes, reader.from, reader.to) : progress;
    if (fault !== undefined) {
      this.#refuse(fault);
      return to;
    }
    const { next } = reader;
    this.deadlineMs = never;
    this.#exchange.begin();
    return next;
  }

  #endBodyRead(): void {
    this.#exchange.onBodyReadEnd();
    if (!this.#exchange.awaitsBody) this.#bodyOpen = false;
    if (this.#state === "exchange") this.#limitExchange();
  }

  /** Reads on while little is held: a client that leaves is noticed only on a socket that is read. */
  #hold(bytes: Buffer, from: number, to: number): void {
    const needed = this.#heldBytes + (to - from);
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#held.length * 2));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldBytes, from, to);
    this.#heldBytes = needed;
    if (needed >= maxHeldBytes) this.#pause();
  }

  #forgetHeld(): void {
    this.#held = nothing;
    this.#heldBytes = 0;
  }

  /** Takes what was held, and then what comes. */
  #continue(): void {
    if (this.#reading) return;
    const held = this.#held;
    const size = this.#heldBytes;
    this.#forgetHeld();
    this.#read(held, size);
    if (this.#paused && this.#heldBytes < maxHeldBytes && !this.#bodyPaused) {
      this.#paused = false;
      this.#socket.resume();
    }
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }
  // #endregion read-requests

  // #region client-side
  openBody(): void {
    if (!this.#bodyOpen) this.#bodyDeadlineMs = this.#ticker.deadlineIn(this.#limits.bodyTimeoutMs);
    this.#bodyOpen = true;
    this.#bodyPaused = false;
    this.#continue();
  }

  pauseBody(): void {
    this.#bodyPaused = true;
    this.#pause();
  }

  resumeBody(): void {
    this.#bodyPaused = false;
    this.#continue();
  }

  flush(): boolean {
    const goesOn = this.outgoing.flush();
    // The client has left: a request of its that waits must not be begun.
    if (this.outgoing.failed) this.destroy();
    else if (!goesOn) this.#limitExchange();
    return goesOn;
  }

  whenWritten(callback: () => void): void {
    if (this.outgoing.written) return callback();
    this.#limitExchange();
    this.outgoing.whenWritten(() => this.#guard(callback));
  }

  endExchange(keepsAlive: boolean): void {
    if (this.#state !== "exchange") return;
    this.#bodyOpen = false;
    this.#bodyPaused = false;
    // The head may have promised keep-alive before the stop began.
    if (!keepsAlive || this.#closesWhenIdle) return this.#guard(this.#close);
    this.#state = "head";
    this.#limit(this.#limits.keepAliveTimeoutMs);
    this.#guard(this.#continue);
  }

  cut(reset: boolean): void {
    if (reset) this.#socket.resetAndDestroy();
    this.destroy();
  }
  // #endregion client-side

  #onDrain(): void {
    if (this.#state !== "exchange") return;
    this.#limitExchange();
    this.#exchange.onClientDrain();
  }

  /** The client has ended its side: it has left, as far as anyone can tell. */
  #onEnd(): void {
    // Behind the last answer the socket closes by itself, when that has been written.
    if (this.#state !== "closing") this.destroy();
  }

  #refuse(reason: Refusal): void {
    this.#headReader.reset();
    this.#state = "exchange";
    this.#exchange.refuse(reason);
  }

  /** Closing at once, with unread bytes in the socket, would reset the connection and could take the answer with it. */
  #close(): void {
    this.#state = "closing";
    this.#forgetHeld();
    this.#limit(this.#limits.lingerMs);
    this.#socket.end();
    if (this.#paused) this.#socket.resume();
  }

  /** Ends an upload that takes too long, and a client that leaves what it was sent unread. Nothing else is limited here. */
  #limitExchange(): void {
    this.#takenBefore = this.outgoing.taken;
    this.deadlineMs = this.#bodyOpen ? this.#bodyDeadlineMs : never;
    if (this.outgoing.written) return;
    this.deadlineMs = Math.min(this.deadlineMs, this.#ticker.deadlineIn(this.#limits.stalledTimeoutMs));
  }

  #limit(ms: number): void {
    this.deadlineMs = this.#ticker.deadlineIn(ms);
  }
}

function reading(socket: Socket, read: (bytes: Buffer, size: number) => void): Socket {
  return socket.on("data", (bytes: Buffer) => read(bytes, bytes.length)).resume();
}
