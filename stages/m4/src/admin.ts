// The listener for operators: which table the router uses, and whether it is ready. Bound to loopback whatever
// `HOST` says, because it shows what clients must not see. `main.ts` registers its paths.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

export type AdminRoute = (req: IncomingMessage, res: ServerResponse) => void;

export interface AdminRouteOptions {
  /** Whether pages served from this machine, on whatever port, may read it in a browser. @default false */
  readonly forLocalPages?: boolean;
}

export interface AdminLimits {
  /** Time for a whole request, in milliseconds. Nobody uploads anything here. */
  readonly requestMs: number;
  /** A connection on which nothing moves is cut after this time: its client does not read. */
  readonly idleMs: number;
  /** Beyond this many, each new connection takes the place of the oldest. */
  readonly maxConnections: number;
  /** Bytes that all clients together have not read; beyond it, the oldest reader is cut. */
  readonly maxUnreadBytes: number;
}

const defaultLimits: AdminLimits = {
  requestMs: 10_000,
  // More than the 15 s between two signs of life on `/events` (m4).
  idleMs: 30_000,
  maxConnections: 128,
  maxUnreadBytes: 32 * 1024 * 1024,
};

export class AdminServer {
  readonly #limits: AdminLimits;
  readonly #routes = new Map<string, AdminRoute>();
  readonly #forLocalPages = new Set<string>();
  readonly #server: Server;
  /** Every connection, the one that was used last at the end; with whether a response is under way. */
  readonly #connections = new Map<Socket, boolean>();

  constructor(limits: Partial<AdminLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
    const { requestMs, idleMs } = this.#limits;
    this.#server = createServer({
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      // How often Node looks for late requests. Its default of 30 s would be added to the limit.
      connectionsCheckingInterval: Math.min(1_000, requestMs),
    });
    this.#server.timeout = idleMs;
    this.#server.on("connection", (socket) => this.#admit(socket));
    this.#server.on("request", (req, res) => this.#respond(req, res));
    // Such as an `accept` without a free descriptor. The next one may have it.
    this.#server.on("error", () => {});
  }

  /** Serves `GET path` with `route`. */
  get(path: string, route: AdminRoute, options: AdminRouteOptions = {}): void {
    this.#routes.set(path, route);
    if (options.forLocalPages) this.#forLocalPages.add(path);
  }

  /** Resolves with the bound port; rejects when the address cannot be bound. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host: "127.0.0.1" }, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** Stops at once: cutting an operator off loses no client's request. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#connections.keys()) socket.destroy();
    });
  }

  /**
   * The newest is always let in: whoever holds connections open must not keep out the probe that asks whether this router
   * is alive, or its operator.
   */
  #admit(socket: Socket): void {
    this.#connections.set(socket, false);
    socket.once("close", () => this.#connections.delete(socket));
    this.#makeRoom();
  }

  #makeRoom(): void {
    const { maxConnections, maxUnreadBytes } = this.#limits;
    const sockets = [...this.#connections.keys()].filter(({ destroyed }) => !destroyed);
    let unread = sockets.reduce((sum, { writableLength }) => sum + writableLength, 0);
    for (const socket of sockets) {
      if (unread <= maxUnreadBytes) break;
      unread -= socket.writableLength;
      socket.destroy();
    }
    if (sockets.length <= maxConnections) return;
    // The last one has just come. One between two requests has nothing to lose.
    const quiet = sockets.slice(0, -1).find((socket) => this.#connections.get(socket) === false);
    (quiet ?? sockets[0])?.destroy();
  }

  /** Moves a connection to the end of the list. */
  #mark(socket: Socket, isBusy: boolean): void {
    if (!this.#connections.delete(socket)) return;
    this.#connections.set(socket, isBusy);
  }

  #respond(req: IncomingMessage, res: ServerResponse): void {
    // A client that leaves is nobody's fault.
    for (const end of [req, res]) end.on("error", () => {});
    // Sent ahead of its turn: what waits behind another response is in no count, and a thousand come in one read.
    if (this.#connections.get(req.socket) === true) return void req.socket.destroy();
    this.#mark(req.socket, true);
    res.once("close", () => this.#mark(req.socket, false));
    this.#makeRoom();
    const path = req.url?.split("?", 1)[0] ?? "";
    const route = this.#routes.get(path);
    const isLocalPage = this.#forLocalPages.has(path) && isFromLocalPage(req);
    if (isLocalPage) res.setHeader("Access-Control-Allow-Origin", req.headers.origin ?? "null");
    if (!isLocalPage && !isFromOperator(req))
      sendJson(res, 403, { error: "Not for web pages; use a program on this machine." });
    else if (route === undefined)
      sendJson(res, 404, { error: "Unknown path.", paths: [...this.#routes.keys()] });
    else if (req.method !== "GET" && req.method !== "HEAD") {
      res.setHeader("Allow", "GET, HEAD");
      sendJson(res, 405, { error: "Only GET is served here." });
    } else runRoute(route, req, res);
  }
}

/** A route that throws fails its own request, and not the traffic that the process serves beside it. */
function runRoute(route: AdminRoute, req: IncomingMessage, res: ServerResponse): void {
  try {
    route(req, res);
  } catch (error) {
    if (res.headersSent) res.destroy();
    else sendJson(res, 500, { error: String(error) });
  }
}

// #region operator
const loopbackHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i;

/**
 * A browser on this machine runs pages of strangers, and loopback does not keep them out. `Origin` and `Sec-Fetch-Site`
 * betray a page's request to another site. `Host` betrays DNS rebinding: the page's own host name, which suddenly
 * leads to 127.0.0.1, so that the browser takes this listener for the page's own site.
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header `none`: typed into the address bar
 */
function isFromOperator(req: IncomingMessage): boolean {
  const { host = "", origin, "sec-fetch-site": site = "none" } = req.headers;
  return loopbackHost.test(host) && origin === undefined && (site === "none" || site === "same-origin");
}

const loopbackOrigin = /^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i;

/** A page that this machine serves, such as the workbook's own site: its `Origin` says so, and no page can forge it. */
function isFromLocalPage({ headers: { host = "", origin = "" } }: IncomingMessage): boolean {
  return loopbackHost.test(host) && loopbackOrigin.test(origin);
}
// #endregion operator

export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  const body = `${JSON.stringify(value, null, 2)}\n`;
  const length = Buffer.byteLength(body);
  res.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": length,
    "Cache-Control": "no-store",
  });
  res.end(body);
}
