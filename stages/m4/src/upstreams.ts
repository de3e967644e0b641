// Connection pools by endpoint: how connections to cells are made, kept and closed.
// What travels over them is the business of `attempt.ts`.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { buildConnector, type Dispatcher, Pool } from "undici";
import { CellConnection } from "./cell-connection.ts";
import type { Clock } from "./clock.ts";

/** Times in milliseconds. */
export interface UpstreamLimits {
  /** Time for a TCP connection to a cell. */
  readonly connectTimeoutMs: number;
  /** Time from the end of the request to the head of the response; 0 for no limit. */
  readonly headTimeoutMs: number;
  /** Time between two pieces of a response's body while the client keeps reading; 0 for no limit. */
  readonly bodyIdleTimeoutMs: number;
  /** How long a cell may read nothing of a request body that waits for it. Node waits up to twice as long. */
  readonly stalledTimeoutMs: number;
  /** How long an idle connection is kept when the cell does not say: less than the 5 s after which Node servers close. */
  readonly keepAliveTimeoutMs: number;
}

const defaultUpstreamLimits: UpstreamLimits = {
  connectTimeoutMs: 5_000,
  headTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
  stalledTimeoutMs: 12_000,
  keepAliveTimeoutMs: 4_000,
};

// #region upstreams
export class Upstreams {
  readonly #pools = new Map<string, Pool>();
  readonly #limits: UpstreamLimits;
  readonly #clock: Clock;
  readonly #connect: buildConnector.connector;
  readonly #connections = new WeakMap<Socket, CellConnection>();
  readonly #connectionOf = new WeakMap<object, CellConnection>();

  constructor(clock: Clock, limits: Partial<UpstreamLimits> = {}) {
    this.#clock = clock;
    this.#limits = { ...defaultUpstreamLimits, ...limits };
    this.#connect = buildConnector({ timeout: this.#limits.connectTimeoutMs });
    subscribe("undici:client:sendHeaders", this.#onRequest);
    subscribe("undici:request:bodySent", this.#onBodySent);
    subscribe("undici:request:headers", this.#onHead);
  }

  /** The pool of one endpoint, made when it is first asked for. */
  poolFor(url: string): Dispatcher {
    const known = this.#pools.get(url);
    if (known !== undefined) return known;
    const pool = new Pool(url, {
      connect: this.#connector,
      // `CellConnection` has a limit that begins where the request ends; this one would begin with it.
      headersTimeout: 0,
      bodyTimeout: this.#limits.bodyIdleTimeoutMs,
      keepAliveTimeout: this.#limits.keepAliveTimeoutMs,
      // One request at a time on a connection: behind a slow response a second one would wait, and fail with it.
      pipelining: 1,
    });
    this.#pools.set(url, pool);
    return pool;
  }

  /** Closes every pool whose endpoint is not in `urls`, each after its last request. */
  retainOnly(urls: ReadonlySet<string>): void {
    for (const [url, pool] of this.#pools) {
      if (urls.has(url)) continue;
      this.#pools.delete(url);
      // Closing waits for the requests in progress; if a connection breaks meanwhile, its own request notices.
      pool.close().catch(() => {});
    }
  }

  /** Ends every connection at once, whatever it carries. */
  async destroy(): Promise<void> {
    unsubscribe("undici:client:sendHeaders", this.#onRequest);
    unsubscribe("undici:request:bodySent", this.#onBodySent);
    unsubscribe("undici:request:headers", this.#onHead);
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  /** Opens a connection, and hears of its errors before the HTTP client does. */
  readonly #connector: buildConnector.connector = (options, callback) => {
    this.#connect(options, (...result) => {
      const socket: Socket | null | undefined = result[1];
      if (socket) this.#watch(socket);
      callback(...result);
    });
  };

  #watch(socket: Socket): void {
    const connection = new CellConnection(socket, this.#limits, this.#clock);
    this.#connections.set(socket, connection);
    socket.prependListener("error", (error: NodeJS.ErrnoException) => {
      // undici takes `ECONNRESET` for the regular end of a body without a length, and fails the request that waits to use
      // an idle connection. Renamed to a plain socket error, it does neither.
      if (error.code === "ECONNRESET") error.code = "UND_ERR_SOCKET";
      if (connection.mayBeStale) onUsedConnection.add(error);
    });
  }

  // The HTTP client reports each request and its socket: https://undici.nodejs.org/#/docs/api/DiagnosticsChannel
  readonly #onRequest = (message: unknown): void => {
    const { request, socket } = message as { request: object; socket: Socket };
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    this.#connectionOf.set(request, connection);
    connection.onRequest();
  };

  readonly #onBodySent = (message: unknown): void => {
    this.#connectionOf.get((message as { request: object }).request)?.onBodySent();
  };

  readonly #onHead = (message: unknown): void => {
    const { request, response } = message as { request: object; response: { statusCode: number } };
    if (response.statusCode >= 200) this.#connectionOf.get(request)?.onHead();
  };
}
// #endregion upstreams

// #region stale-connection
/** Errors of sockets that had carried a response before. They are held weakly, so nothing accumulates. */
const onUsedConnection = new WeakSet<Error>();

/**
 * Tells whether `error` ended a connection that had carried a response before, and nothing for this request. The cell may have
 * closed it while it was idle, and the request may never have been read: a keep-alive race, not a sick cell.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
 */
export function isFromUsedConnection(error: Error): boolean {
  return onUsedConnection.has(error);
}
// #endregion stale-connection
