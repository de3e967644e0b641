// The reading half of a client's connection: cuts what comes into heads, and the bodies behind them. What comes ahead of its turn
// waits here up to a bound, and beyond that unread in the socket.

import type { Socket } from "node:net";
import { BodyReader } from "../http1/body-reader.ts";
import { CR, LF } from "../http1/bytes.ts";
import { HeadReader } from "../http1/head-reader.ts";
import type { Refusal } from "../http1/refusal.ts";
import { RequestHead } from "../http1/request-head.ts";
import type { Exchange } from "./exchange.ts";
import { HeldBytes } from "./held-bytes.ts";
import type { RawSockets } from "./raw-sockets.ts";

/** Whose requests come. */
export interface IntakeUser {
  /** The request that is being served. Where there is none, a head may come, as long as the connection is open. */
  readonly exchange: Exchange | undefined;
  readonly isOpen: boolean;
  /** Part of a head has come. */
  onHeadBegun(): void;
  /** A request is next. Its head and what reads its body are lent to the exchange that is returned. */
  takeUp(head: RequestHead, body: BodyReader): Exchange;
  /** What one read brought of a body has been handed to the exchange. */
  onBodyRead(): void;
  /** Something threw on the way. */
  contain(error: unknown): void;
}

/** The most that is read ahead of its turn, but for one read more, in bytes. */
const maxHeldBytes = 65_536;

/** One for all connections: what is read is used or copied before anything else is read. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

export class RequestIntake {
  readonly socket: Socket;
  readonly #user: IntakeUser;
  readonly #headReader = new HeadReader();
  /** Lent to one exchange after the other. */
  readonly #head = new RequestHead();
  readonly #body = new BodyReader();
  readonly #held = new HeldBytes();
  #isPaused = false;
  /** A read is being worked off further up the call stack; what can be taken now will be taken there. */
  #isReading = false;
  /** Whether the present request's body may be taken. */
  #upload: "none" | "open" | "paused" = "none";

  /** @param accepted As it was accepted: paused. */
  constructor(accepted: Socket, raw: RawSockets | undefined, user: IntakeUser) {
    this.#user = user;
    const read = (bytes: Buffer, size: number): void => this.#read(bytes, size);
    this.socket = raw?.adopt(accepted, readBuffer, read) ?? reading(accepted, read);
  }

  /** A head has begun, and not come to its end. */
  get isHeadBegun(): boolean {
    return this.#headReader.started;
  }

  // #region read-requests
  #read(bytes: Buffer, size: number): void {
    try {
      // What waits comes first.
      if (this.#held.size > 0) this.#hold(bytes, 0, size);
      else this.#readAll(bytes, size);
    } catch (error) {
      this.#isReading = false;
      this.#user.contain(error);
    }
  }

  #readAll(bytes: Buffer, to: number): void {
    this.#isReading = true;
    let at = 0;
    while (at < to && this.#user.isOpen) {
      const { exchange } = this.#user;
      const next =
        exchange === undefined ? this.#readHead(bytes, at, to) : this.#readBody(exchange, bytes, at, to);
      if (next === at && this.#user.exchange === exchange) {
        this.#hold(bytes, at, to);
        break;
      }
      at = next;
    }
    this.#isReading = false;
    if (this.#upload === "none") return;
    this.#user.exchange?.onBodyReadEnd();
    this.#user.onBodyRead();
  }

  #readHead(bytes: Buffer, from: number, to: number): number {
    const reader = this.#headReader;
    const { started } = reader;
    // With an empty line old clients end a body: it begins no request. https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    if (!started && to - from === 2 && bytes[from] === CR && bytes[from + 1] === LF) return to;
    const progress = reader.push(bytes, from, to);
    if (progress === "partial") {
      if (!started) this.#user.onHeadBegun();
      return to;
    }
    const { next } = reader;
    const exchange = this.#user.takeUp(this.#head, this.#body);
    const fault = progress === "complete" ? this.#head.parse(reader.bytes, reader.from, reader.to) : progress;
    if (fault !== undefined) reader.reset();
    exchange.begin(fault);
    // Behind what is no request, nobody can tell where the next one begins.
    return fault === undefined ? next : to;
  }

  #readBody(exchange: Exchange, bytes: Buffer, from: number, to: number): number {
    if (this.#upload === "paused") return from;
    // What was held may be more than one read brings, which is the most that goes on in one piece.
    return exchange.readBody(bytes, from, Math.min(to, from + readBuffer.length));
  }

  /** Gives up the head that has begun: it becomes a request that is refused. */
  refuse(reason: Refusal): void {
    this.#headReader.reset();
    this.#user.takeUp(this.#head, this.#body).begin(reason);
  }
  // #endregion read-requests

  /** The present request's body can be taken now. */
  openBody(): void {
    this.#upload = "open";
    this.goOn();
  }

  /** It cannot be taken until it is opened again. */
  pauseBody(): void {
    this.#upload = "paused";
    this.#pause();
  }

  /** No more of it will be taken. */
  closeBody(): void {
    this.#upload = "none";
  }

  /** Something waits: bytes, or the socket itself. */
  get isHolding(): boolean {
    return this.#held.size > 0 || this.#isPaused;
  }

  /** Takes what was held, and then what comes. */
  readonly goOn = (): void => {
    if (this.#isReading) return;
    const held = this.#held.take();
    this.#read(held, held.length);
    if (this.#held.size < maxHeldBytes && this.#upload !== "paused") this.#resume();
  };

  /** Reads on for nobody: what comes is of no interest any more. */
  forget(): void {
    this.#held.take();
    this.#resume();
  }

  /** Reads on while little is held: a client that leaves is noticed only on a socket that is read. */
  #hold(bytes: Buffer, from: number, to: number): void {
    this.#held.add(bytes, from, to);
    if (this.#held.size >= maxHeldBytes) this.#pause();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }
}

function reading(socket: Socket, read: (bytes: Buffer, size: number) => void): Socket {
  return socket.on("data", (bytes: Buffer) => read(bytes, bytes.length)).resume();
}
