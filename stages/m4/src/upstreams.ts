// Connection pools by endpoint: how connections to cells are made, kept and closed.
// What travels over them is the business of `attempt.ts`.

import type { Socket } from "node:net";
import { buildConnector, type Dispatcher, errors, Pool } from "undici";

export interface UpstreamLimits {
  /** Time for a TCP connection to a cell, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Time from the end of the request, or from its last progress, to the head of the answer. */
  readonly headTimeoutMs: number;
  /** Time between two pieces of an answer's body while the client keeps reading. */
  readonly bodyIdleTimeoutMs: number;
  /** How long an idle connection is kept when the cell does not say: less than the 5 s after which Node servers close. */
  readonly keepAliveTimeoutMs: number;
}

export const defaultUpstreamLimits: UpstreamLimits = {
  connectTimeoutMs: 5_000,
  headTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
  keepAliveTimeoutMs: 4_000,
};

// #region upstreams
export class Upstreams {
  readonly #pools = new Map<string, Pool>();
  readonly #limits: UpstreamLimits;

  constructor(limits: UpstreamLimits = defaultUpstreamLimits) {
    this.#limits = limits;
  }

  /** The pool of one endpoint, made when it is first asked for. */
  poolFor(url: string): Dispatcher {
    const known = this.#pools.get(url);
    if (known !== undefined) return known;
    const pool = new Pool(url, {
      connect: rememberingConnector(this.#limits.connectTimeoutMs),
      headersTimeout: this.#limits.headTimeoutMs,
      bodyTimeout: this.#limits.bodyIdleTimeoutMs,
      keepAliveTimeout: this.#limits.keepAliveTimeoutMs,
      // One request at a time on a connection: behind a slow answer a second one would wait, and fail with it.
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
      // Closing waits for the requests under way; that a connection broke meanwhile is told to its own request.
      pool.close().catch(() => {});
    }
  }

  /** Ends every connection at once, whatever it carries. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }
}
// #endregion upstreams

// #region stale-connection
/** Errors of sockets that had carried an answer before. Errors are objects of their own, so nothing accumulates. */
const onUsedConnection = new WeakSet<Error>();

/**
 * Tells whether `error` ended a connection that had already carried an answer. The cell may then have closed it while
 * it was idle, and the request may never have been read: a keep-alive race, not a sick cell.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
 */
export function isFromUsedConnection(error: Error): boolean {
  if (error instanceof errors.SocketError) return (error.socket?.bytesRead ?? 0) > 0;
  return onUsedConnection.has(error);
}

/**
 * A connector that hears of a socket's error before undici does, and notes whether the socket had been used.
 *
 * It also renames a reset. By its own name, undici takes one for the regular end of a body without a length, and fails
 * the request that waits to use an idle connection; as a socket error it is what it is.
 */
function rememberingConnector(timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({ timeout: timeoutMs });
  return (options, callback) => {
    connect(options, (...result) => {
      const socket: Socket | null = result[1];
      socket?.prependListener("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ECONNRESET") error.code = "UND_ERR_SOCKET";
        if (socket.bytesRead > 0) onUsedConnection.add(error);
      });
      callback(...result);
    });
  };
}
// #endregion stale-connection
