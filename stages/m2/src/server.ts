// The listener towards clients: its time and size limits, what it answers when Node's parser refuses a request, and
// how it stops. What happens to a good request is the handler's business.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AccessLog } from "./access-log.ts";
import type { Clock } from "./clock.ts";
import { ClientError, type ErrorCode, problemBody, problemOf } from "./errors.ts";

// #region limits
/** Limits towards clients. Times in milliseconds. */
const limits = {
  /** From the first byte of a request to the end of its head; a client that drips its head in holds a socket. */
  headersTimeout: 10_000,
  /** From the first byte of a request to the end of its body: the longest upload. */
  requestTimeout: 300_000,
  /** An idle connection between two requests; above the 60 s of common load balancers, so that they close first. */
  keepAliveTimeout: 65_000,
  /** How often the two request limits are checked. */
  connectionsCheckingInterval: 1_000,
  /** A larger head is answered with 431. */
  maxHeaderSize: 16 * 1024,
  /** The host is checked with the other fields, so that the answer has the form of every other error. */
  requireHostHeader: false,
} as const;

/** A connection on which nothing moves. For a client that leaves written bytes unread, Node waits twice as long. */
const stalledTimeoutMs = 75_000;

/** How long a refused client may take to read the refusal before its connection is cut. */
const lingerMs = 1_000;
// #endregion limits

export interface DataServerDependencies {
  readonly handle: RequestListener;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  readonly newRequestId: () => string;
}

export class DataServer {
  readonly #server: Server;
  readonly #deps: DataServerDependencies;
  /** Requests under way by connection, in the order in which they came. */
  readonly #active = new Map<Duplex, Map<ServerResponse, IncomingMessage>>();
  readonly #sockets = new Set<Socket>();
  readonly #refused = new WeakSet<Duplex>();
  /** Connections whose last request is being served. */
  readonly #closing = new WeakSet<Duplex>();
  #draining = false;

  constructor(dependencies: DataServerDependencies) {
    this.#deps = dependencies;
    this.#server = createServer(limits);
    // Node drops fields beyond a count without a word; a dropped field can be the one that makes a request ambiguous.
    this.#server.maxHeadersCount = 0;
    this.#server.setTimeout(stalledTimeoutMs);
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("request", (req, res) => this.#onRequest(req, res));
    // The handler sends `100 Continue` once it knows that the request will be served.
    this.#server.on("checkContinue", (req, res) => this.#onRequest(req, res));
    this.#server.on("checkExpectation", (req) => this.#refuse(req.socket, "expectation-failed"));
    this.#server.on("connect", (_, socket) => this.#refuse(socket, "connect-not-supported"));
    this.#server.on("clientError", (error, socket) => this.#onClientError(error, socket));
  }

  /** Resolves with the bound port; rejects when the address cannot be bound. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  // #region drain
  /** Stops accepting, lets the requests under way finish, and cuts what is left after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    for (const requests of this.#active.values())
      for (const res of requests.keys()) res.shouldKeepAlive = false;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    // To Node, a connection that has not sent a byte yet is not idle, and the stop would wait for it.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    const done = new AbortController();
    const deadline = this.#deps.clock.sleep(deadlineMs, done.signal).then(
      () => this.#server.closeAllConnections(),
      () => {},
    );
    await closed;
    done.abort();
    await deadline;
  }
  // #endregion drain

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const socket = req.socket;
    // Node hands over every request that it has parsed, even those behind one whose answer closes the connection.
    // After a request whose framing was in doubt, they may be bytes of its body.
    // https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    if (this.#closing.has(socket)) return;
    const requests = this.#active.get(socket) ?? new Map<ServerResponse, IncomingMessage>();
    this.#active.set(socket, requests.set(res, req));
    if (this.#draining) res.shouldKeepAlive = false;
    res.once("close", () => {
      requests.delete(res);
      if (requests.size > 0) return;
      this.#active.delete(socket);
      socket.emit(idle);
      // The head may have promised keep-alive before the stop began.
      if (this.#draining) this.#server.closeIdleConnections();
    });
    this.#deps.handle(req, res);
    if (!res.shouldKeepAlive) this.#closing.add(socket);
  }

  // #region client-error
  /** Node's parser refused what came next on a connection. */
  #onClientError(error: Error, socket: Duplex): void {
    if (this.#refused.has(socket)) return;
    // A client that is gone needs no answer; its requests hear of it by the close of the connection.
    if (!socket.writable || isConnectionLost(error)) return void socket.destroy();
    const code = clientErrorCode(error);
    const requests = [...(this.#active.get(socket) ?? [])];
    const [res, incomplete] = requests.find(([, req]) => !req.complete) ?? [];
    if (res !== undefined && incomplete !== undefined) {
      // Half a body, and the client's end: it has left, and its handler hears of it by the close of the connection.
      if (isEndOfInput(error)) return void socket.destroy();
      // The fault is in the body of a request under way: its own handler answers, for the last time on this connection.
      // What follows is faulty too, and must not cut that answer off.
      this.#refused.add(socket);
      res.shouldKeepAlive = false;
      if (incomplete.listenerCount("error") > 0)
        incomplete.emit("error", new ClientError(code, { cause: error }));
      else socket.destroy();
    } else if (requests.length > 0) {
      // Earlier requests of the same connection are answered first, in order.
      socket.once(idle, () => this.#refuse(socket, code));
    } else {
      this.#refuse(socket, code);
    }
  }

  /** Answers on the bare connection and closes it: nothing that follows on it can be trusted. */
  #refuse(socket: Duplex, code: ErrorCode): void {
    this.#refused.add(socket);
    if (!socket.writable) return void socket.destroy();
    const requestId = this.#deps.newRequestId();
    const body = problemBody(code, requestId);
    const { status, title } = problemOf(code);
    // What it asked for is not known: no method and no path can be trusted.
    const nothing = { method: "", path: "", durationMs: 0, bytesIn: 0, bytesOut: 0 } as const;
    this.#deps.accessLog.record({ requestId, ...nothing, status, outcome: "complete", code });
    socket.end(
      `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nX-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`,
    );
    // Closing at once, with unread bytes in the socket, would reset the connection and could take the answer with it.
    socket.resume();
    this.#deps.clock.sleep(lingerMs).then(
      () => socket.destroy(),
      () => {},
    );
  }
  // #endregion client-error
}

/** Emitted on a connection when its last request under way has ended. */
const idle = Symbol("idle");

function isConnectionLost(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}

function isEndOfInput(error: NodeJS.ErrnoException): boolean {
  return error.code === "HPE_INVALID_EOF_STATE";
}

function clientErrorCode(error: Error): ErrorCode {
  const cause = "code" in error ? error.code : undefined;
  if (cause === "HPE_INVALID_METHOD" && looksLikeRequest(error)) return "method-not-supported";
  if (cause === "HPE_HEADER_OVERFLOW") return "header-fields-too-large";
  if (cause === "HPE_CHUNK_EXTENSIONS_OVERFLOW") return "content-too-large";
  if (cause === "ERR_HTTP_REQUEST_TIMEOUT") return "request-timeout";
  return "malformed-request";
}

/** Node's parser knows a list of methods, `http.METHODS`: another one is no fault of the client. */
function looksLikeRequest(error: Error & { rawPacket?: unknown; bytesParsed?: number }): boolean {
  const { rawPacket, bytesParsed } = error;
  if (!Buffer.isBuffer(rawPacket)) return false;
  // Only the faulty line counts: good requests may stand before it in the same packet.
  const line = rawPacket.subarray(rawPacket.subarray(0, bytesParsed).lastIndexOf("\n") + 1);
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP\/1\.[01]\r\n/.test(line.toString("latin1"));
}
