// Accepts clients' connections and stops in order. What is said on a connection is the business of `client-connection.ts`.

import { createServer, type Server, type Socket } from "node:net";
import type { RawTcp } from "../trim/raw-tcp.ts";
import { ClientConnection, type ClientLimits, defaultClientLimits } from "./client-connection.ts";
import type { ExchangeHandler } from "./exchange-handler.ts";
import type { Ticker, TickerClock } from "./ticker.ts";

export interface ListenerDependencies<Context> {
  readonly handler: ExchangeHandler<Context>;
  readonly ticker: Ticker;
  readonly clock: TickerClock;
  readonly limits?: ClientLimits;
  /** Absent: sockets are used as the streams that they are. */
  readonly raw?: RawTcp;
}

export class Listener<Context> {
  readonly #server: Server;
  readonly #deps: ListenerDependencies<Context>;
  readonly #connections = new Set<ClientConnection<Context>>();
  readonly #grace = new AbortController();
  #emptied: () => void = () => {};

  constructor(dependencies: ListenerDependencies<Context>) {
    this.#deps = dependencies;
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Resolves with the bound port; rejects when the address cannot be bound. */
  listen(options: { port: number; host: string; reusePort?: boolean }): Promise<number> {
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
