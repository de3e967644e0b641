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
  /** Keeps reading for a moment, so that the client can read the last response. Then the connection ends. */
  readonly linger: (socket: Socket) => void;
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** With more requests waiting for their turn, the router stops reading. Until then it reads on, to notice a disconnect at once. */
const maxWaiting = 16;

export class ClientConnection {
  readonly socket: Socket;
  readonly #options: ClientConnectionOptions;
  #active: Exchange | undefined;
  /** The last request that has been begun. */
  #last: IncomingMessage | undefined;
  /** Requests that wait for their turn. */
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
    // For as long as the socket lives: Node removes its own listeners when a client asks for a tunnel.
    socket.on("error", () => {});
    socket.on("timeout", () => this.#onTimeout());
    socket.on("drain", () => this.#onDrain());
    const destroySoon = socket.destroySoon;
    // Node calls this after the last response.
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
    // Its bytes are thrown away, but on a connection that nobody reads, a disconnect goes unnoticed.
    this.socket.resume();
  }

  /** What came is not a valid request or body. Where no handler can say so, `end` does, and ends the connection. */
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

  /** Whether only part of a request's body has come, maybe after its response. */
  get bodyIncomplete(): boolean {
    const last = this.#waiting.at(-1)?.req ?? this.#last;
    return last !== undefined && !last.complete;
  }

  /** Lets the current response be the last one; without one, closes the connection. A head that has begun may still be finished. */
  drain(): void {
    this.#draining = true;
    if (this.#active !== undefined) this.#active.res.shouldKeepAlive = false;
    // A refusal closes its connection by itself. Nobody needs the rest of a body whose response is out.
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
    // Nobody needs the rest of its body, but the client's next request comes after it.
    ended.req.resume();
    const next = this.#waiting.shift();
    if (next !== undefined) this.#start(next);
    else if (this.#end !== undefined) this.#end();
    if (this.#paused && this.#waiting.length === 0) this.#resume();
  }

  /** The client is still sending. Closing now, with unread bytes in the socket, would reset the connection and lose the response. */
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

  /** Nothing has moved. Only a client that does not read is to blame; a long poll may be quiet for minutes. */
  #onTimeout(): void {
    const { stalledTimeoutMs, idleEnds } = this.#options;
    const isIdle = this.#active === undefined && (idleEnds || this.#closing);
    if (isIdle || this.socket.writableLength > 0) this.socket.destroy();
    else this.socket.setTimeout(stalledTimeoutMs);
  }

  /** Node passes `drain` on to the response, but no longer once a client has asked for a tunnel. */
  #onDrain(): void {
    const res = this.#active?.res;
    if (this.#end !== undefined && res?.writableNeedDrain === true) res.emit("drain");
  }
}
