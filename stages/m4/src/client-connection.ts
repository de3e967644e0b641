// One client's connection: its requests are handled one at a time, in the order in which they came. A client may send more
// before it has a response (pipelining); handled side by side, an unsafe request could overtake the one before it.
// https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ClientError, type ErrorCode } from "./errors.ts";
import { continueAfterUpgrade } from "./ignored-upgrade.ts";

export interface ClientConnectionOptions {
  readonly handle: RequestListener;
  /** How long nothing may move while the client leaves written bytes unread. In milliseconds. */
  readonly stalledTimeoutMs: number;
  /** Whether the time limit for an idle connection ends it. */
  readonly idleEnds: boolean;
  /** Reads on for a moment, so that the client can read what it was told last. Then the connection ends. */
  readonly linger: (socket: Socket) => void;
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** With more requests ahead of their turn, the client is not read from. Fewer are no burden, and its leaving is noticed at once. */
const maxWaiting = 16;

export class ClientConnection {
  readonly socket: Socket;
  readonly #options: ClientConnectionOptions;
  #active: Exchange | undefined;
  /** The last request that has been begun. */
  #last: IncomingMessage | undefined;
  /** What came ahead of its turn. */
  readonly #waiting: Exchange[] = [];
  /** Ends the connection once everything before it has its response. */
  #end: (() => void) | undefined;
  /** Nothing that follows on this connection is taken for a request. */
  #closing = false;
  #draining = false;
  #faulty = false;
  #paused = false;
  /** Part of a request's head has come. */
  #headBegun = false;

  constructor(socket: Socket, options: ClientConnectionOptions) {
    this.socket = socket;
    this.#options = options;
    // For as long as the socket lives: Node takes its own listeners off where a client asks for a tunnel.
    socket.on("error", () => {});
    socket.on("timeout", () => this.#onTimeout());
    socket.on("drain", () => this.#onDrain());
    const destroySoon = socket.destroySoon;
    // What Node calls behind the last response.
    socket.destroySoon = () => {
      this.#closing = true;
      if (this.#last?.complete !== false) destroySoon.call(socket);
      else if (!socket.writableEnded) this.#leaveUpload(this.#last);
    };
    const onRead = (headBegun: boolean): void => {
      this.#headBegun = headBegun;
    };
    continueAfterUpgrade(socket, { onRead, takesMore: (rest) => this.#takesMore(rest) });
  }

  /** Handles a request, now or when its turn comes. */
  onRequest(req: IncomingMessage, res: ServerResponse): void {
    for (const emitter of [req, res]) emitter.on("error", () => {});
    // Node hands over every request that it has parsed, even those behind one whose response closes the connection.
    // After a request whose framing was in doubt, they may be bytes of its body.
    // https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    if (this.#closing) return;
    if (this.#active === undefined) return this.#start({ req, res });
    this.#waiting.push({ req, res });
    // Later, because Node resumes the socket when it has parsed this request.
    if (this.#waiting.length > maxWaiting) setImmediate(() => this.#pause());
  }

  /** Calls `end`, which ends the connection, as soon as every request before it has its response. */
  endWith(end: () => void): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#active === undefined) return end();
    this.#end = end;
    // To be thrown away, but a connection that nobody reads does not tell that its client has left.
    this.socket.resume();
  }

  /** What came is no request, or no body of one. `end` says so where no handler can, and ends the connection. */
  onFault(code: ErrorCode, cause: Error, end: () => void): void {
    // Node reports every further piece of the same fault.
    if (this.#faulty) return;
    this.#faulty = true;
    const { req, res } = this.#active ?? {};
    // It has had its response; what is wrong with the rest of its body is of interest to nobody.
    if (req === undefined && this.#last?.complete === false) return this.socket.destroySoon();
    if (req === undefined || res === undefined || req.complete) {
      if (this.bodyIncomplete) this.#waiting.pop();
      return this.endWith(end);
    }
    // The fault is in the body of the request under way: its own handler responds, for the last time on this connection.
    this.#closing = true;
    res.shouldKeepAlive = false;
    // One listener is this connection's own; a handler that reads the body has another.
    if (req.listenerCount("error") > 1) req.emit("error", new ClientError(code, { cause }));
    else this.socket.destroy();
  }

  /** Half of a request's body has come, maybe after its response. */
  get bodyIncomplete(): boolean {
    const last = this.#waiting.at(-1)?.req ?? this.#last;
    return last !== undefined && !last.complete;
  }

  /** Lets the response under way be the last one; without one, closes the connection. Whoever has begun a head may end it. */
  drain(): void {
    this.#draining = true;
    if (this.#active !== undefined) this.#active.res.shouldKeepAlive = false;
    // A refusal closes its connection by itself. A body whose response is out is for nobody.
    else if (!this.#closing && !this.#headBegun) this.socket.destroySoon();
  }

  #start(exchange: Exchange): void {
    const { req, res } = exchange;
    this.#active = exchange;
    this.#last = req;
    if (this.#draining) res.shouldKeepAlive = false;
    res.once("close", () => this.#next(exchange));
    try {
      this.#options.handle(req, res);
    } catch {
      // The handler could not even begin: this connection is lost, and no other one.
      this.socket.destroy();
    }
    if (!res.shouldKeepAlive) this.#closing = true;
  }

  #next(ended: Exchange): void {
    this.#active = undefined;
    // The head may have promised keep-alive before the stop began.
    if (this.#draining) this.socket.destroySoon();
    // The close of the connection tells the requests that still wait: none of them has been begun.
    if (this.socket.destroyed || !ended.res.shouldKeepAlive) return;
    // What is left of its body is for nobody, but the client's next request stands behind it.
    ended.req.resume();
    const next = this.#waiting.shift();
    if (next !== undefined) this.#start(next);
    else if (this.#end !== undefined) this.#end();
    if (this.#paused && this.#waiting.length === 0) this.#resume();
  }

  /** The client is still sending. Closed now, with unread bytes in it, the connection would be reset, and the response gone with it. */
  #leaveUpload(upload: IncomingMessage): void {
    this.socket.end();
    upload.resume();
    this.#options.linger(this.socket);
  }

  /** Whether more of one read may be parsed. Otherwise it goes back to the socket until those that wait have been handled. */
  #takesMore(rest: Buffer): boolean {
    if (this.#closing || this.#waiting.length <= maxWaiting) return true;
    this.#pause();
    this.socket.unshift(rest);
    return false;
  }

  #pause(): void {
    if (this.#waiting.length === 0) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resume(): void {
    this.#paused = false;
    this.socket.resume();
  }

  /** Nothing has moved. That is the fault of a client that does not read; a long poll may be quiet for minutes. */
  #onTimeout(): void {
    const { stalledTimeoutMs, idleEnds } = this.#options;
    const isIdle = this.#active === undefined && (idleEnds || this.#closing);
    if (isIdle || this.socket.writableLength > 0) this.socket.destroy();
    else this.socket.setTimeout(stalledTimeoutMs);
  }

  /** Node tells a response that it may go on, but not behind a request for a tunnel. */
  #onDrain(): void {
    const res = this.#active?.res;
    if (this.#end !== undefined && res?.writableNeedDrain === true) res.emit("drain");
  }
}
