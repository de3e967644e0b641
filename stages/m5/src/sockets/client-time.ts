// How long a client has for what it is doing now: to send a head or a body, to read its response, to send the next request. One
// deadline at a time; what follows when it has passed is decided by the connection.

import type { Outgoing } from "./outgoing.ts";
import { never, type Ticker } from "./ticker.ts";

export interface ClientLimits {
  /** From a request's first byte to the end of its head, in milliseconds; a new connection has as long for its first. */
  readonly headTimeoutMs: number;
  /** From the start of a request's body to its end: the longest upload, pauses included. */
  readonly bodyTimeoutMs: number;
  /** An idle connection between two requests; above the 60 s of common load balancers, so that they close first. */
  readonly keepAliveTimeoutMs: number;
  /** A client that takes nothing of its response. */
  readonly stalledTimeoutMs: number;
  /** After the last response: how long the client may take to read it and close. */
  readonly lingerMs: number;
}

export const defaultClientLimits: ClientLimits = {
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 300_000,
  keepAliveTimeoutMs: 65_000,
  stalledTimeoutMs: 75_000,
  lingerMs: 1_000,
};

export class ClientTime {
  /** When the present limit ends. */
  deadlineMs = never;
  readonly #ticker: Ticker;
  readonly #limits: ClientLimits;
  /** When the present request's body must have come to its end; never where none is taken. */
  #bodyDeadlineMs = never;
  /** What the client had taken when its time to read began. */
  #takenBefore = 0;

  constructor(ticker: Ticker, limits: ClientLimits) {
    this.#ticker = ticker;
    this.#limits = limits;
  }

  /** Nobody's time runs. */
  stop(): void {
    this.deadlineMs = never;
  }

  awaitsHead(): void {
    this.deadlineMs = this.#ticker.deadlineIn(this.#limits.headTimeoutMs);
  }

  awaitsRequest(): void {
    this.deadlineMs = this.#ticker.deadlineIn(this.#limits.keepAliveTimeoutMs);
  }

  awaitsClose(): void {
    this.deadlineMs = this.#ticker.deadlineIn(this.#limits.lingerMs);
  }

  /** The client may send a body; the time for it runs from the first call on. */
  beginBody(): void {
    if (this.#bodyDeadlineMs === never)
      this.#bodyDeadlineMs = this.#ticker.deadlineIn(this.#limits.bodyTimeoutMs);
  }

  endBody(): void {
    this.#bodyDeadlineMs = never;
  }

  /** Ends an upload that takes too long, and a client that leaves what it was sent unread. Nothing else is limited here. */
  limitExchange({ taken, written }: Outgoing): void {
    this.#takenBefore = taken;
    this.deadlineMs = this.#bodyDeadlineMs;
    if (written) return;
    this.deadlineMs = Math.min(this.deadlineMs, this.#ticker.deadlineIn(this.#limits.stalledTimeoutMs));
  }

  /** Whether the limit that has passed is that of the body. */
  get isBodyLate(): boolean {
    return this.#bodyDeadlineMs !== never && this.#bodyDeadlineMs <= this.deadlineMs;
  }

  /** Whether the client is slow to read, which is no failure: it has taken something since its time began. */
  isReading(taken: number): boolean {
    return taken !== this.#takenBefore;
  }
}
