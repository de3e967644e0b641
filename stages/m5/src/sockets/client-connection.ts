// One connection of a client: serves its requests in order, one at a time, until one side has had enough. It knows how long the
// client has for what, and how a connection ends. What comes is read by `request-intake.ts`; what it means is the exchange's business.

import type { Socket } from "node:net";
import type { BodyReader } from "../http1/body-reader.ts";
import { refusal } from "../http1/refusal.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ClientSide } from "./client-side.ts";
import { type ClientLimits, ClientTime } from "./client-time.ts";
import { Exchange } from "./exchange.ts";
import { Outgoing } from "./outgoing.ts";
import type { RawSockets } from "./raw-sockets.ts";
import { type IntakeUser, RequestIntake } from "./request-intake.ts";
import type { RequestHandler } from "./request-owner.ts";
import type { Ticker, Timed } from "./ticker.ts";

const headTimeout = refusal("the head did not come in time", "request-timeout");
const bodyTimeout = refusal("the body did not come in time", "request-timeout");

/** `closing`: the last response is out, and what comes is of no interest any more. */
type State = "open" | "closing" | "closed";

export class ClientConnection implements ClientSide, IntakeUser, Timed {
  readonly outgoing: Outgoing;
  draining = false;
  exchange: Exchange | undefined;
  /** Called once, when the connection is gone. */
  onGone: () => void = () => {};
  readonly #intake: RequestIntake;
  readonly #socket: Socket;
  readonly #handler: RequestHandler;
  readonly #ticker: Ticker;
  readonly #time: ClientTime;
  #address: string | undefined;
  #state: State = "open";
  #closesWhenIdle = false;

  /** @param accepted As it was accepted: paused. */
  constructor(
    accepted: Socket,
    handler: RequestHandler,
    ticker: Ticker,
    limits: ClientLimits,
    raw: RawSockets | undefined,
  ) {
    this.#handler = handler;
    this.#ticker = ticker;
    this.#time = new ClientTime(ticker, limits);
    this.#time.awaitsHead();
    this.#intake = new RequestIntake(accepted, raw, this);
    this.#socket = this.#intake.socket;
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

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get deadlineMs(): number {
    return this.#time.deadlineMs;
  }

  /** Lets the present exchange finish, as the last one. */
  drain(): void {
    this.draining = true;
    this.#closesWhenIdle = true;
    if (this.#state !== "open") return;
    const isIdle = this.exchange === undefined && !this.#intake.isHeadBegun;
    // What is left of a body whose response is out is for nobody.
    if (isIdle || this.exchange?.request.isDiscarded === true) this.#guard(this.#close);
  }

  /** Ends the connection at once. */
  destroy(): void {
    if (this.#state === "closed") return;
    const { exchange } = this;
    this.#state = "closed";
    this.exchange = undefined;
    this.#ticker.delete(this);
    this.#socket.destroy();
    this.onGone();
    try {
      exchange?.onClientGone();
    } catch (error) {
      exchange?.onThrow(error);
    }
  }

  onDeadline(): void {
    this.#guard(this.#onLimit);
  }

  #onLimit(): void {
    const { exchange } = this;
    const { isBodyLate } = this.#time;
    this.#time.stop();
    if (exchange === undefined && this.#intake.isHeadBegun) this.#intake.refuse(headTimeout);
    else if (exchange !== undefined && isBodyLate) exchange.failBody(bodyTimeout);
    else if (exchange !== undefined && this.#time.isReading(this.outgoing.taken)) this.#limitExchange();
    else this.destroy();
  }

  /** Runs a step that the system asks for. What it throws costs this connection and its exchange, and nothing else. */
  #guard(step: () => void): void {
    try {
      step.call(this);
    } catch (error) {
      this.contain(error);
    }
  }

  contain(error: unknown): void {
    if (this.exchange !== undefined) return this.exchange.onThrow(error);
    this.#handler.report(error);
    this.destroy();
  }

  onHeadBegun(): void {
    this.#time.awaitsHead();
  }

  takeUp(head: RequestHead, body: BodyReader): Exchange {
    this.#time.stop();
    this.exchange = new Exchange(this, this.#handler, head, body);
    return this.exchange;
  }

  onBodyRead(): void {
    if (this.exchange?.request.awaitsBody !== true) this.#closeBody();
    if (this.exchange !== undefined) this.#limitExchange();
  }

  // #region client-side
  openBody(): void {
    this.#time.beginBody();
    this.#intake.openBody();
  }

  pauseBody(): void {
    this.#intake.pauseBody();
  }

  resumeBody(): void {
    this.#intake.openBody();
  }

  flush(): boolean {
    const goesOn = this.outgoing.flush();
    // The client has left: a request of its that waits must not be begun.
    if (this.outgoing.failed) this.destroy();
    else if (!goesOn) this.#limitExchange();
    return goesOn;
  }

  isWritten(): boolean {
    if (this.outgoing.written) return true;
    const { exchange } = this;
    this.#limitExchange();
    this.outgoing.whenWritten(() => this.#guard(() => exchange?.onClientWritten()));
    return false;
  }

  endExchange(keepsAlive: boolean): void {
    if (this.exchange === undefined) return;
    this.exchange = undefined;
    this.#closeBody();
    // The head may have promised keep-alive before the stop began.
    if (!keepsAlive || this.#closesWhenIdle) return this.#guard(this.#close);
    this.#time.awaitsRequest();
    // Not before everything has returned that runs on behalf of the last request: its owner must not be called into.
    if (this.#intake.isHolding) queueMicrotask(this.#intake.goOn);
  }

  cut(reset: boolean): void {
    if (reset) this.#socket.resetAndDestroy();
    this.destroy();
  }
  // #endregion client-side

  #closeBody(): void {
    this.#intake.closeBody();
    this.#time.endBody();
  }

  #onDrain(): void {
    if (this.exchange === undefined) return;
    this.#limitExchange();
    this.exchange.onClientDrain();
  }

  /** The client has ended its side: it has left, as far as anyone can tell. */
  #onEnd(): void {
    // Behind the last response the socket closes by itself, when that has been written.
    if (this.#state !== "closing") this.destroy();
  }

  /** Closing at once, with unread bytes in the socket, would reset the connection and could take the response with it. */
  #close(): void {
    this.#state = "closing";
    this.exchange = undefined;
    this.#time.awaitsClose();
    this.#socket.end();
    this.#intake.forget();
  }

  #limitExchange(): void {
    this.#time.limitExchange(this.outgoing);
  }
}
