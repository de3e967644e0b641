// The listener for clients: its time and size limits, its response when Node's parser refuses a request, and how it
// stops. The handler decides what happens to a good request.

import { createServer, type RequestListener, type Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AccessLog } from "./access-log.ts";
import { ClientConnection } from "./client-connection.ts";
import type { Clock } from "./clock.ts";
import { type ErrorCode, problemBody, problemOf } from "./errors.ts";

// #region limits
/** Limits towards clients. Times in milliseconds. */
const limits = {
  /** From the first byte of a request to the end of its head; a client that drips its head in holds a socket. */
  headersTimeout: 10_000,
  /** From the first byte of a request to the end of its body: the longest upload. */
  requestTimeout: 300_000,
  /** How often the two request limits are checked. */
  connectionsCheckingInterval: 1_000,
  /** A larger head gets 431. */
  maxHeaderSize: 16 * 1024,
  /** The host is checked with the other fields, so that the response has the form of every other error. */
  requireHostHeader: false,
} as const;

/** How long a client may read nothing of what was written to it. Node waits up to twice as long if it still reads some. */
const stalledTimeoutMs = 75_000;

/** How long a refused client may take to read the refusal before its connection is cut. */
const lingerMs = 1_000;
// #endregion limits

const { close: stopAccepting } = NetServer.prototype;

export interface DataServerDependencies {
  readonly handle: RequestListener;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  /** The time of day, for `Date`. */
  readonly wallClock: () => Date;
  readonly newRequestId: () => string;
  /** How long a connection may be idle between two requests. In milliseconds; 0 for no limit. */
  readonly keepAliveTimeoutMs: number;
}

export class DataServer {
  readonly #server: Server;
  readonly #deps: DataServerDependencies;
  readonly #connections = new Map<Duplex, ClientConnection>();

  constructor(dependencies: DataServerDependencies) {
    this.#deps = dependencies;
    const { handle, keepAliveTimeoutMs } = dependencies;
    this.#server = createServer({ ...limits, keepAliveTimeout: keepAliveTimeoutMs });
    // Node drops fields beyond a count without a word; a dropped field can be the one that makes a request ambiguous.
    this.#server.maxHeadersCount = 0;
    // A connection that cannot be accepted, such as for lack of file descriptors, must not end the process.
    this.#server.on("error", () => {});
    // Each connection decides what a silence means. Without a listener here, Node would end it.
    this.#server.setTimeout(stalledTimeoutMs, () => {});
    this.#server.on("connection", (socket) => {
      const idleEnds = keepAliveTimeoutMs > 0;
      const linger = (socket: Socket) => this.#linger(socket);
      const options = { handle, stalledTimeoutMs, idleEnds, linger };
      this.#connections.set(socket, new ClientConnection(socket, options));
      socket.once("close", () => this.#connections.delete(socket));
    });
    this.#server.on("request", (req, res) => this.#connections.get(req.socket)?.onRequest(req, res));
    // The handler sends `100 Continue` once it knows that the request will be served, and refuses other expectations.
    this.#server.on("checkContinue", (req, res) => this.#connections.get(req.socket)?.onRequest(req, res));
    this.#server.on("checkExpectation", (req, res) => this.#connections.get(req.socket)?.onRequest(req, res));
    this.#server.on("connect", (_, socket) =>
      this.#connections.get(socket)?.endWith(() => this.#refuse(socket, "connect-not-supported")),
    );
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
    // Node's own `close` also ends connections that it takes for idle, even if the last bytes of a response wait for a slow client.
    const closed = new Promise<void>((resolve) => stopAccepting.call(this.#server, () => resolve()));
    for (const connection of this.#connections.values()) connection.drain();
    const done = new AbortController();
    const deadline = this.#deps.clock.sleep(deadlineMs, done.signal).then(
      () => {
        for (const socket of this.#connections.keys()) socket.destroy();
      },
      () => {},
    );
    await closed;
    done.abort();
    await deadline;
  }
  // #endregion drain

  // #region client-error
  /** Node's parser refused what came next on a connection, or it did not come in time. */
  #onClientError(error: Error, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    // A client that is gone needs no response; its requests notice when the connection closes.
    if (connection === undefined || isConnectionLost(error)) return void socket.destroy();
    // Half a body, then the end of input: the client has left. One that never sent a byte gets no response.
    const hasLeft = isEndOfInput(error) && connection.bodyIncomplete;
    if (hasLeft || connection.socket.bytesRead === 0) return void socket.destroy();
    const code = clientErrorCode(error);
    connection.onFault(code, error, () => this.#refuse(socket, code));
  }

  /** Responds on the bare connection and closes it: nothing that follows on it can be trusted. */
  #refuse(socket: Duplex, code: ErrorCode): void {
    if (!socket.writable) return void socket.destroy();
    const requestId = this.#deps.newRequestId();
    const body = problemBody(code, requestId);
    const { status, title } = problemOf(code);
    // What it asked for is not known: no method and no path can be trusted.
    const nothing = { method: "", path: "", durationMs: 0, bytesIn: 0, bytesOut: 0 } as const;
    this.#deps.accessLog.record({ requestId, ...nothing, status, outcome: "complete", code });
    socket.end(
      `HTTP/1.1 ${status} ${title}\r\nDate: ${this.#deps.wallClock().toUTCString()}\r\n` +
        `Content-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nX-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`,
    );
    this.#linger(socket);
  }

  /** Closing at once, with unread bytes in the socket, would reset the connection and could take the response with it. */
  #linger(socket: Duplex): void {
    socket.resume();
    this.#deps.clock.sleep(lingerMs).then(
      () => socket.destroy(),
      () => {},
    );
  }
  // #endregion client-error
}

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

/** Node's parser knows only the methods in `http.METHODS`. Sending another one is not the client's fault. */
function looksLikeRequest(error: Error & { rawPacket?: unknown; bytesParsed?: number }): boolean {
  const { rawPacket, bytesParsed } = error;
  if (!Buffer.isBuffer(rawPacket)) return false;
  // Only the faulty line counts: good requests may stand before it in the same packet.
  const line = rawPacket.subarray(rawPacket.subarray(0, bytesParsed).lastIndexOf("\n") + 1);
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP\/1\.[01]\r\n/.test(line.toString("latin1"));
}
