// The control plane's sockets: the HTTP port, the upgrade to WebSocket, and a clean stop. What is said over a link is
// `link.ts`'s; what an HTTP request gets is the API's.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../clock.ts";
import { closeCodes } from "../protocol.ts";
import { type Bearer, linkFault } from "./access.ts";
import type { Fleet } from "./fleet.ts";
import { runLink } from "./link.ts";
import { RefusedConnections } from "./refused-connections.ts";

// #region limits
const httpLimits = {
  /** Time for a request head, in milliseconds. A handshake is one, too. */
  headersTimeout: 10_000,
  /** Time for a whole request. */
  requestTimeout: 30_000,
  /** How often the two are checked. */
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16 * 1024,
} as const;

/** From a request's head to the end of its response, however slowly it is read. */
const responseTimeoutMs = 90_000;

/** A router's messages are small; the largest is a `nack` with its reasons. */
const maxMessageBytes = 256 * 1024;

/** Time that everybody gets to finish when the control plane stops. Then whatever is open is cut. */
const closeTimeoutMs = 1_000;

export interface ConnectionLimits {
  /** Open connections that are no links. A fleet that comes back at once has as many for a moment. */
  readonly maxConnections: number;
  readonly maxLinks: number;
  /** A response of which nothing is read is given up. Node waits twice as long before it says so. */
  readonly unreadTimeoutMs: number;
}

const defaultConnectionLimits: ConnectionLimits = {
  maxConnections: 4_096,
  maxLinks: 10_000,
  unreadTimeoutMs: 10_000,
};
// #endregion limits

const { close: stopAccepting } = NetServer.prototype;

export interface ControlPlaneServerDependencies {
  readonly handle: RequestListener;
  readonly fleet: Fleet;
  readonly bearer: Bearer;
  /** Name or address to bind; accepted in `Host`. */
  readonly host: string;
  readonly clock: Clock;
  /** Told of a half-open link before it is cut; undefined when its router has not said who it is. */
  readonly onDeadLink: (routerId: string | undefined) => void;
  /** Told of what the listener itself hears, such as that the process has no descriptors left. */
  readonly onError: (error: Error) => void;
  readonly limits?: ConnectionLimits;
}

export class ControlPlaneServer {
  readonly #deps: ControlPlaneServerDependencies;
  readonly #limits: ConnectionLimits;
  readonly #http: Server;
  readonly #links: WebSocketServer;
  /** Every open connection, links and refused ones included: nobody else knows them all. */
  readonly #sockets = new Set<Duplex>();
  readonly #refused: RefusedConnections;
  /** Responses that are owed or being read. */
  #responses = 0;

  constructor(dependencies: ControlPlaneServerDependencies) {
    this.#deps = dependencies;
    this.#limits = dependencies.limits ?? defaultConnectionLimits;
    this.#refused = new RefusedConnections(dependencies.clock);
    // An upgrade that is not asked for here, or not granted, is a request like any other: the header is ignored.
    // https://www.rfc-editor.org/rfc/rfc9110#section-7.8
    const shouldUpgradeCallback = (req: IncomingMessage) => isForLink(req) && !linkFault(req, dependencies);
    this.#http = createServer({ ...httpLimits, shouldUpgradeCallback }, (req, res) =>
      this.#onRequest(req, res),
    );
    this.#http.setTimeout(this.#limits.unreadTimeoutMs);
    this.#http.on("connection", (socket) => this.#onConnection(socket));
    this.#http.on("upgrade", (req, socket, head) => this.#onUpgrade(req, socket, head));
    // `closeTimeout` is missing from the published types: how long a closing link may wait for its other end.
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      maxPayload: maxMessageBytes,
      // Each link would need a compressor of its own, for what is encoded once for all.
      perMessageDeflate: false,
      closeTimeout: closeTimeoutMs,
    };
    this.#links = new WebSocketServer(options);
    this.#links.on("wsClientError", (_, socket) => this.#refused.refuse(socket, "bad-handshake"));
  }

  /** Resolves with the bound port; rejects when the address cannot be bound. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#http.once("error", reject);
      // A fleet that comes back at once must not be turned away by a short queue.
      this.#http.listen({ port, host: this.#deps.host, backlog: 1024 }, () => {
        this.#http.off("error", reject).on("error", this.#deps.onError);
        const address = this.#http.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  // #region close
  /** Stops accepting, tells the routers, and resolves when every connection has ended: after a second at the latest. */
  async close(): Promise<void> {
    // Node's own `close` also ends what it takes for idle: a response, too, that it has whole and a client still reads.
    const closed = new Promise<void>((resolve) => stopAccepting.call(this.#http, () => resolve()));
    for (const socket of this.#links.clients) socket.close(closeCodes.goingAway, "The control plane stops");
    this.#closeIdle();
    const done = new AbortController();
    const deadline = this.#deps.clock.sleep(closeTimeoutMs, done.signal).then(
      // Node's own list ends where a connection was upgraded.
      () => this.#sockets.forEach((socket) => void socket.destroy()),
      () => {},
    );
    await closed;
    done.abort();
    await deadline;
  }

  /** Only when nobody is reading a response any more. */
  #closeIdle(): void {
    if (this.#responses === 0) this.#http.closeIdleConnections();
  }
  // #endregion close

  #onConnection(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const others = this.#sockets.size - this.#links.clients.size - this.#refused.size;
    if (others > this.#limits.maxConnections) this.#refused.refuse(socket, "too-many-connections");
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    // It has had its response.
    if (this.#refused.has(req.socket)) return;
    // A write that waits for its turn moves nothing either, and its client is not to blame.
    res.on("timeout", () => {
      if (req.socket.writableLength > 0) req.socket.destroy();
    });
    const ended = new AbortController();
    this.#responses += 1;
    res.once("close", () => {
      ended.abort();
      this.#responses -= 1;
      if (!this.#http.listening) this.#closeIdle();
    });
    this.#deps.clock.sleep(responseTimeoutMs, ended.signal).then(
      () => req.socket.destroy(),
      () => {},
    );
    this.#deps.handle(req, res);
  }

  // #region upgrade
  #onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until the WebSocket takes over, nobody else listens: an error without a listener would end the process.
    socket.on("error", () => socket.destroy());
    // Node before 24.9 asks nobody whether to upgrade.
    if (!isForLink(req)) return this.#refused.refuse(socket, "not-found");
    const fault = linkFault(req, this.#deps);
    if (fault !== undefined) return this.#refused.refuse(socket, fault);
    if (this.#links.clients.size >= this.#limits.maxLinks)
      return this.#refused.refuse(socket, "too-many-links");
    this.#links.handleUpgrade(req, socket, head, (link) => this.#onLink(link, req.socket));
  }

  #onLink(link: WebSocket, socket: Socket): void {
    const { fleet, clock, onDeadLink } = this.#deps;
    runLink(link, socket, { fleet, clock, onDeadLink });
  }
  // #endregion upgrade
}

function isForLink(req: IncomingMessage): boolean {
  const isWebSocket = req.headers.upgrade?.toLowerCase() === "websocket";
  return isWebSocket && req.method === "GET" && req.url?.split("?")[0] === "/v1/connect";
}
