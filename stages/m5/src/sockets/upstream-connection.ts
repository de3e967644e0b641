// One connection to a cell: connects, carries one exchange at a time, and says exactly how each ended. It reads answers; what
// becomes of them is its user's business, and where it waits between two exchanges, the pool's.

import { connect, type Socket } from "node:net";
import { BodyReader } from "../http1/body-reader.ts";
import type { ChunkedOutput, ChunkedSink } from "../http1/chunked-reader.ts";
import { persists } from "../http1/framing.ts";
import { HeadReader } from "../http1/head-reader.ts";
import { ResponseHead } from "../http1/response-head.ts";
import type { RawTcp } from "../trim/raw-tcp.ts";
import type { FaultReport } from "./fault-report.ts";
import { Outgoing } from "./outgoing.ts";
import { never, type Ticker, type Timed } from "./ticker.ts";

export interface UpstreamLimits {
  /** Time for a TCP connection to a cell, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Time from the end of the request to the head of the answer. */
  readonly headTimeoutMs: number;
  /** Time between two pieces of an answer's body while the client keeps reading. */
  readonly bodyIdleTimeoutMs: number;
  /**
   * A cell that takes nothing of a request that waits for it. The system says only now and then that it has taken something: when
   * a third of its buffer has become free, which at 100 KB/s is every ten seconds or so.
   */
  readonly stalledTimeoutMs: number;
}

export type UpstreamFault =
  | "upstream-unreachable"
  | "router-exhausted"
  | "upstream-broken"
  | "connect-timeout"
  | "head-timeout"
  | "body-timeout";

/** Whose exchange a connection carries. Calls come in this order, and none after the last one. */
export interface UpstreamUser {
  /** The connection stands; now the request may be sent. */
  onConnected(): void;
  onInterim(head: ResponseHead): void;
  /** The head of the answer. Returns how its body shall come, or undefined to drop it and the connection with it. */
  onHead(head: ResponseHead): ChunkedOutput | undefined;
  /** Where the body goes. */
  readonly sink: ChunkedSink;
  /** Everything that one read brought has been handed on. Returns false to be spared more until `resume`. */
  onReadEnd(): boolean;
  /** The answer is whole. `reusable`: as far as the answer goes, the connection can carry another. */
  onAnswerEnd(reusable: boolean): void;
  /** The last call: the exchange failed. `cause` is machine-readable, such as `ECONNREFUSED`. */
  onFault(fault: UpstreamFault, cause: string): void;
  /** The cell takes more of the request again. */
  onDrain(): void;
  /** A step of this exchange threw. The connection is gone; `onFault` will not be called. */
  onThrow(error: unknown): void;
}

/** The most that a cell may send in front of its answer, in bytes: interim heads have no other bound. */
const maxInterimBytes = 65_536;

const noBody = { kind: "none" } as const;

/** No descriptor, port or memory is left for a connection: this router's own fault, and not the cell's. */
const exhausted: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EADDRNOTAVAIL",
  "EAGAIN",
]);

function connectFault(cause: string): UpstreamFault {
  if (cause === "ETIMEDOUT") return "connect-timeout";
  return exhausted.has(cause) ? "router-exhausted" : "upstream-unreachable";
}

type State = "connecting" | "head" | "body" | "idle" | "closed";

/** Whose turn it is before an answer: the client's, to send more of its request, or the cell's, to read it or to answer. */
export type Turn = "client" | "read" | "answer";

/** One for all connections: what is read is used or copied before anything else is read. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);
/** So is this: heads are used at once. A table for each connection would be cold whenever its turn comes. */
const head = new ResponseHead();

// #region upstream-connection
export class UpstreamConnection implements Timed {
  readonly outgoing: Outgoing;
  /** An answer has come over this connection before. */
  used = false;
  /** Part of the answer to the present request has come. */
  answerStarted = false;
  /** When the present limit ends. While idle, the pool's. */
  deadlineMs: number;
  /** When this connection is too old to be used again, by the clock. */
  restsUntilMs = 0;
  /** Called once, when the connection is gone. */
  onGone: () => void = () => {};
  readonly #socket: Socket;
  readonly #ticker: Ticker;
  readonly #limits: UpstreamLimits;
  readonly #report: FaultReport;
  readonly #headReader = new HeadReader();
  readonly #body = new BodyReader();
  #state: State = "connecting";
  #user: UpstreamUser | undefined;
  #method = "GET";
  #turn: Turn = "client";
  #interimBytes = 0;
  /** What the cell had taken when its time to read began. */
  #takenBefore = 0;
  /** Whether the present answer lets the connection carry another. */
  #persists = false;
  #cause = "";

  constructor(
    address: { host: string; port: number },
    ticker: Ticker,
    limits: UpstreamLimits,
    raw: RawTcp | undefined,
    report: FaultReport,
  ) {
    this.#ticker = ticker;
    this.#limits = limits;
    this.#report = report;
    this.#socket = connect({
      ...address,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (size, bytes) => {
          this.#onBytes(bytes as Buffer, size);
          return true;
        },
      },
    });
    this.outgoing = new Outgoing(this.#socket, raw, () => this.#guard(() => this.#user?.onDrain()));
    this.deadlineMs = ticker.deadlineIn(limits.connectTimeoutMs);
    ticker.add(this);
    this.#socket
      .on("connect", () => this.#guard(this.#onConnect))
      .on("end", () => this.#guard(this.#onEnd))
      .on("error", (error: NodeJS.ErrnoException) => {
        this.#cause = error.code ?? "";
      })
      .on("close", () => this.#guard(this.#onClose));
  }

  get idle(): boolean {
    return this.#state === "idle";
  }

  /** Content of the present answer so far, in bytes. */
  get contentBytes(): number {
    return this.#body.contentBytes;
  }

  /** Gives the connection to an exchange. `onConnected` comes at once where it stands already. */
  begin(user: UpstreamUser, method: string): void {
    this.#user = user;
    this.#method = method;
    this.answerStarted = false;
    this.#interimBytes = 0;
    // Until this answer has a body, the bytes of the last one would be told as its own.
    this.#body.begin(noBody, "wire");
    if (this.#state !== "idle") return;
    this.#state = "head";
    this.deadlineMs = never;
    user.onConnected();
  }

  /** Says whose turn it is, while the answer's head has not come. For the client, no cell is blamed. */
  awaits(turn: Turn): void {
    this.#turn = turn;
    this.#takenBefore = this.outgoing.taken;
    const { stalledTimeoutMs, headTimeoutMs } = this.#limits;
    if (this.#state !== "head") return;
    if (turn === "client") this.deadlineMs = never;
    else this.deadlineMs = this.#ticker.deadlineIn(turn === "read" ? stalledTimeoutMs : headTimeoutMs);
  }

  /** Calls back once the system has the whole request so far; at once where it does. */
  whenWritten(callback: () => void): void {
    if (this.outgoing.written) return callback();
    this.outgoing.whenWritten(() => this.#guard(callback));
  }

  /** Stops reading: the client must catch up first. */
  pause(): void {
    this.#socket.pause();
    this.deadlineMs = never;
  }

  resume(): void {
    this.#socket.resume();
    if (this.#state === "body") this.deadlineMs = this.#ticker.deadlineIn(this.#limits.bodyIdleTimeoutMs);
    else this.awaits(this.#turn);
  }

  /** Takes the connection back from its exchange, to wait until `deadlineMs` at most. */
  rest(idleTimeoutMs: number): void {
    this.#user = undefined;
    this.#state = "idle";
    this.deadlineMs = this.#ticker.deadlineIn(idleTimeoutMs);
    this.restsUntilMs = this.#ticker.tickedAtMs + idleTimeoutMs;
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
    this.deadlineMs = never;
    const isReading = this.#turn === "read" && this.outgoing.taken !== this.#takenBefore;
    if (this.#state === "connecting") this.#fail("connect-timeout", "ETIMEDOUT");
    else if (this.#state === "head" && isReading) this.awaits("read");
    else if (this.#state === "head") this.#fail("head-timeout", "ETIMEDOUT");
    else if (this.#state === "body") this.#fail("body-timeout", "ETIMEDOUT");
    else this.destroy();
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
    this.#state = "head";
    this.deadlineMs = never;
    this.#user?.onConnected();
  }

  // #region read-answer
  #onBytes(bytes: Buffer, size: number): void {
    const user = this.#user;
    try {
      this.#read(bytes, size);
    } catch (error) {
      this.#contain(error, user);
    }
  }

  #read(bytes: Buffer, size: number): void {
    let at = 0;
    while (at < size && this.#user !== undefined) {
      this.answerStarted = true;
      if (this.#state === "head") at = this.#readHead(bytes, at, size);
      else if (this.#state === "body") at = this.#readBody(bytes, at, size);
      else break;
    }
    const user = this.#user;
    if (user === undefined) {
      // Bytes that nobody asked for: the next request must not get them as its answer.
      if (at < size) this.destroy();
      return;
    }
    if (!user.onReadEnd()) this.pause();
  }

  #readHead(bytes: Buffer, from: number, to: number): number {
    const reader = this.#headReader;
    const progress = reader.push(bytes, from, to);
    if (progress === "partial") return to;
    const fault =
      progress === "complete" ? head.parse(reader.bytes, reader.from, reader.to, this.#method) : progress;
    if (fault !== undefined) return this.#fail("upstream-broken", fault.rule);
    const { next } = reader;
    if (head.status < 200) {
      // Nobody offered another protocol.
      if (head.status === 101) return this.#fail("upstream-broken", "unasked 101");
      this.#interimBytes += reader.to - reader.from;
      if (this.#interimBytes > maxInterimBytes)
        return this.#fail("upstream-broken", "interim responses too large");
      this.#user?.onInterim(head);
      return next;
    }
    const output = this.#user?.onHead(head);
    if (output === undefined) {
      this.destroy();
      return to;
    }
    this.#body.begin(head.body, output);
    this.#persists = head.body.kind !== "until-close" && persists(head.minorVersion, head.connection);
    this.#state = "body";
    this.deadlineMs = this.#ticker.deadlineIn(this.#limits.bodyIdleTimeoutMs);
    if (this.#body.done) this.#finish(next === to);
    return next;
  }

  #readBody(bytes: Buffer, from: number, to: number): number {
    const body = this.#body;
    const user = this.#user;
    if (user === undefined) return from;
    const next = body.read(bytes, from, to, user.sink);
    if (body.done) this.#finish(next === to);
    else if (body.refusal !== undefined) return this.#fail("upstream-broken", body.refusal.rule);
    else this.deadlineMs = this.#ticker.deadlineIn(this.#limits.bodyIdleTimeoutMs);
    return next;
  }

  #finish(nothingFollows: boolean): void {
    const user = this.#user;
    this.#user = undefined;
    this.used = true;
    user?.onAnswerEnd(nothingFollows && this.#persists);
  }
  // #endregion read-answer

  /** The cell has ended its side. */
  #onEnd(): void {
    if (this.#user !== undefined && this.#state === "body" && this.#body.end()) this.#finish(false);
    else this.#fail("upstream-broken", "FIN");
    this.destroy();
  }

  #onClose(): void {
    this.#fail(this.#state === "connecting" ? connectFault(this.#cause) : "upstream-broken", this.#cause);
  }

  /** Returns more than any index: reading ends here. */
  #fail(fault: UpstreamFault, cause: string): number {
    const user = this.#user;
    this.destroy();
    user?.onFault(fault, cause);
    return Number.POSITIVE_INFINITY;
  }
}
