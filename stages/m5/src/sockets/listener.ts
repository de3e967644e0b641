// The listener towards clients: binds, accepts connections, and stops in order. What is said on a connection is the business of
// `client-connection.ts`; what happens to a good request, of the handler.

import { createServer, type Server, type Socket } from "node:net";
import { ClientConnection } from "./client-connection.ts";
import { type ClientLimits, defaultClientLimits } from "./client-time.ts";
import type { RawSockets } from "./raw-sockets.ts";
import type { RequestHandler } from "./request-owner.ts";
import type { Ticker, TickerClock } from "./ticker.ts";

export interface ListenerDependencies {
  readonly handler: RequestHandler;
  readonly ticker: Ticker;
  readonly clock: TickerClock;
  readonly limits?: ClientLimits;
  /** Absent: sockets are used as the streams that they are. */
  readonly raw?: RawSockets | undefined;
}

interface ListenOptions {
  readonly port: number;
  readonly host: string;
  readonly reusePort?: boolean;
}

export class Listener {
  readonly #server: Server;
  readonly #deps: ListenerDependencies;
  readonly #connections = new Set<ClientConnection>();
  readonly #grace = new AbortController();
  #emptied: () => void = () => {};

  constructor(dependencies: ListenerDependencies) {
    this.#deps = dependencies;
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Resolves with the bound port; rejects when the address cannot be bound.
   *
   * @param options.reusePort Several processes listen on one port, and the system spreads the connections.
   */
  async listen({ reusePort = false, ...address }: ListenOptions): Promise<number> {
    if (!reusePort) return await this.#bind(address);
    try {
      return await this.#bind({ ...address, reusePort });
    } catch (error) {
      // Not on this system. Workers share one socket instead.
      if (!(error instanceof Error && "code" in error && error.code === "ENOTSUP")) throw error;
      return await this.#bind(address);
    }
  }

  #bind(options: ListenOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ backlog: 1024, ...options }, () => {
        this.#server.off("error", reject);
        // From here on it is about one connection that could not be accepted, for want of file descriptors, say.
        this.#server.on("error", () => {});
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : options.port);
      });
    });
  }

  // #region drain
  /**
   * Stops accepting, lets the requests under way finish, and cuts what is left after `deadlineMs`.
   *
   * @param idleGraceMs How long idle connections may bring one more request, which is told that it is the last. A
   * connection that is closed just as its client sends on it costs that client a request.
   */
  async drain(deadlineMs: number, idleGraceMs = 0): Promise<void> {
    this.#server.close();
    const done = new AbortController();
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    if (idleGraceMs > 0 && this.#connections.size > 0) {
      for (const connection of this.#connections) connection.draining = true;
      const grace = AbortSignal.any([this.#grace.signal, done.signal]);
      await Promise.race([emptied, this.#deps.clock.sleep(idleGraceMs, grace).catch(() => {})]);
    }
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size > 0) {
      await Promise.race([emptied, this.#deps.clock.sleep(deadlineMs, done.signal).catch(() => {})]);
    }
    done.abort();
    this.destroy();
  }
  // #endregion drain

  /** Idle connections get no more time: something else waits for the end. */
  endGrace(): void {
    this.#grace.abort();
  }

  /** Ends every connection at once. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(socket: Socket): void {
    const { handler, ticker, limits = defaultClientLimits, raw } = this.#deps;
    // Until a connection takes over: a client may leave at once.
    socket.on("error", () => {});
    try {
      const connection = new ClientConnection(socket, handler, ticker, limits, raw);
      this.#connections.add(connection);
      connection.onGone = () => {
        this.#connections.delete(connection);
        if (this.#connections.size === 0) this.#emptied();
      };
    } catch (error) {
      socket.destroy();
      handler.report(error);
    }
  }
}
