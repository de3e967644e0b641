// The control plane's sockets: the HTTP port, the upgrade to WebSocket, one link a router, and a clean stop.
// What is said over a link is the fleet's; what an HTTP request gets is the API's.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  STATUS_CODES,
} from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../clock.ts";
import { defaultLivenessLimits, untilDead } from "../link-liveness.ts";
import { closeCodes, closeReason } from "../protocol.ts";
import { type Bearer, browserFault } from "./access.ts";
import type { Fleet } from "./fleet.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

// #region limits
const httpLimits = {
  /** Time for a request head, in milliseconds. */
  headersTimeout: 10_000,
  /** Time for a whole request. */
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16 * 1024,
} as const;

/** A router's messages are small; the largest is a `nack` with its reasons. */
const maxMessageBytes = 256 * 1024;

/**
 * The slowest line that a router may have, 256 kB a second. The system takes a snapshot long before such a line has
 * carried it, and a ping waits behind it: without this, a link at work would look dead, be cut, and begin again.
 */
const minBytesPerMs = 256;

/** Time from the open link to `hello`. */
const helloTimeoutMs = 10_000;

/** Time that routers get to close their links when the control plane stops. */
const closeTimeoutMs = 1_000;
// #endregion limits

export interface ControlPlaneServerDependencies {
  readonly handle: RequestListener;
  readonly fleet: Fleet;
  readonly bearer: Bearer;
  /** Name or address to bind; accepted in `Host`. */
  readonly host: string;
  readonly clock: Clock;
  /** Told of a half-open link before it is cut; undefined when its router has not said who it is. */
  readonly onDeadLink: (routerId: string | undefined) => void;
}

export class ControlPlaneServer {
  readonly #deps: ControlPlaneServerDependencies;
  readonly #http: Server;
  readonly #links: WebSocketServer;

  constructor(dependencies: ControlPlaneServerDependencies) {
    this.#deps = dependencies;
    this.#http = createServer(httpLimits, dependencies.handle);
    // `closeTimeout` is missing from the published types: how long a closing link may wait for its other end.
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      maxPayload: maxMessageBytes,
      // Each link would need a compressor of its own, for what is encoded once for all.
      perMessageDeflate: false,
      closeTimeout: closeTimeoutMs,
    };
    this.#links = new WebSocketServer(options);
    this.#http.on("upgrade", (req, socket, head) => this.#onUpgrade(req, socket, head));
  }

  /** Resolves with the bound port; rejects when the address cannot be bound. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#http.once("error", reject);
      // A fleet that comes back at once must not be turned away by a short queue.
      this.#http.listen({ port, host: this.#deps.host, backlog: 1024 }, () => {
        this.#http.off("error", reject);
        const address = this.#http.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  // #region close
  /** Stops accepting, tells the routers, and resolves when every connection has ended. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const socket of this.#links.clients) socket.close(closeCodes.goingAway, "The control plane stops");
    this.#http.closeIdleConnections();
    const done = new AbortController();
    const deadline = this.#deps.clock.sleep(closeTimeoutMs, done.signal).then(
      () => {
        for (const socket of this.#links.clients) socket.terminate();
        this.#http.closeAllConnections();
      },
      () => {},
    );
    await closed;
    done.abort();
    await deadline;
  }
  // #endregion close

  // #region upgrade
  #onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until the WebSocket takes over, nobody else listens: an unheard error would end the process.
    socket.on("error", () => socket.destroy());
    const { bearer, host } = this.#deps;
    if (req.url?.split("?")[0] !== "/v1/connect") return refuse(socket, 404);
    const fault = browserFault(req, host);
    if (fault !== undefined) return refuse(socket, fault === "origin-refused" ? 403 : 421);
    if (!bearer.admits(req)) return refuse(socket, 401, "WWW-Authenticate: Bearer\r\n");
    this.#links.handleUpgrade(req, socket, head, (link) => this.#onLink(link, req));
  }
  // #endregion upgrade

  // #region link
  #onLink(socket: WebSocket, req: IncomingMessage): void {
    const { fleet, clock } = this.#deps;
    const ended = new AbortController();
    const sender = new SnapshotSender(socket, clock);
    const link = fleet.connect({
      say: (text) => socket.send(text),
      send: (frame, sent, stalled) => void sender.send(frame, sent, stalled),
      close: (code, reason) => socket.close(code, closeReason(reason)),
    });
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) socket.close(closeCodes.notUnderstood, "A binary message");
      else fleet.receive(link, data, clock.now());
    });
    // An error is always followed by the close.
    socket.on("error", () => {});
    socket.once("close", () => {
      ended.abort();
      fleet.disconnect(link, clock.now());
    });
    const watched = {
      bytesReceived: () => req.socket.bytesRead,
      graceMs: () => link.unansweredBytes / minBytesPerMs,
      ping: () => {
        if (socket.readyState === socket.OPEN) socket.ping();
      },
    };
    untilDead(watched, clock, defaultLivenessLimits, ended.signal).then((dead) => {
      if (!dead) return;
      this.#deps.onDeadLink(link.router?.id);
      socket.terminate();
    });
    clock.sleep(helloTimeoutMs, ended.signal).then(
      () => {
        if (link.router === undefined) socket.close(closeCodes.helloTimeout, "No hello in time");
      },
      () => {},
    );
  }
  // #endregion link
}

function refuse(socket: Duplex, status: number, fields = ""): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields}Content-Length: 0\r\nConnection: close\r\n\r\n`,
  );
}
