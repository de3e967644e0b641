// How long a cell has for what it is doing now: to accept a connection, to read the request, to respond, to send the body. One
// deadline at a time; what follows when it has passed is decided by the connection.

import { never, type Ticker } from "./ticker.ts";

export interface UpstreamLimits {
  /** Time for a TCP connection to a cell, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Time from the end of the request to the head of the response. */
  readonly headTimeoutMs: number;
  /** Time between two pieces of a response's body while the client keeps reading. */
  readonly bodyIdleTimeoutMs: number;
  /**
   * A cell that takes nothing of a request that waits for it. The system says only now and then that it has taken something: when
   * a third of its buffer has become free, which at 100 KB/s is every ten seconds or so.
   */
  readonly stalledTimeoutMs: number;
}

/** Whose turn it is before a response: the client's, to send more of its request, or the cell's, to read it or to respond. */
export type Turn = "client" | "read" | "response";

export class UpstreamTime {
  /** When the present limit ends. */
  deadlineMs: number;
  readonly #ticker: Ticker;
  readonly #limits: UpstreamLimits;
  #turn: Turn = "client";
  /** What the cell had taken when its time to read began. */
  #takenBefore = 0;

  /** A connection has been asked for. */
  constructor(ticker: Ticker, limits: UpstreamLimits) {
    this.#ticker = ticker;
    this.#limits = limits;
    this.deadlineMs = ticker.deadlineIn(limits.connectTimeoutMs);
  }

  /** Nobody's time runs. */
  stop(): void {
    this.deadlineMs = never;
  }

  /** Before the head of the response. While it is the client's turn, no cell is blamed. */
  awaits(turn: Turn, taken: number): void {
    const { stalledTimeoutMs, headTimeoutMs } = this.#limits;
    this.#turn = turn;
    this.#takenBefore = taken;
    if (turn === "client") this.deadlineMs = never;
    else this.deadlineMs = this.#ticker.deadlineIn(turn === "read" ? stalledTimeoutMs : headTimeoutMs);
  }

  /** The same turn again, from the beginning. */
  awaitsAgain(taken: number): void {
    this.awaits(this.#turn, taken);
  }

  /** Whether the cell is slow to read, which is no failure: it has taken something since its time began. */
  isReading(taken: number): boolean {
    return this.#turn === "read" && taken !== this.#takenBefore;
  }

  /** More of the response's body is to come. */
  awaitsBody(): void {
    this.deadlineMs = this.#ticker.deadlineIn(this.#limits.bodyIdleTimeoutMs);
  }

  /** Nothing is asked of the cell. Returns when that ends by the clock, which goes on while this process stands still. */
  rests(idleTimeoutMs: number): number {
    this.deadlineMs = this.#ticker.deadlineIn(idleTimeoutMs);
    return this.#ticker.tickedAtMs + idleTimeoutMs;
  }
}
