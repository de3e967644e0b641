// The listener towards clients, as the rest of the router sees it: it binds, and it stops in order. What happens on its
// sockets is the business of `http1/`; what happens to a good request, of the handler.

import type { Clock } from "./clock.ts";
import type { ClientLimits } from "./sockets/client-connection.ts";
import type { ExchangeHandler } from "./sockets/exchange-handler.ts";
import { Listener } from "./sockets/listener.ts";
import type { Ticker } from "./sockets/ticker.ts";
import type { RawTcp } from "./trim/raw-tcp.ts";

export interface DataServerDependencies<Context> {
  readonly handler: ExchangeHandler<Context>;
  readonly ticker: Ticker;
  readonly clock: Clock;
  readonly limits: ClientLimits;
  readonly raw: RawTcp | undefined;
  /** Several processes listen on one port, and the system spreads the connections. */
  readonly reusePort: boolean;
}

export class DataServer<Context> {
  readonly #listener: Listener<Context>;
  readonly #reusePort: boolean;

  constructor({ handler, ticker, clock, limits, raw, reusePort }: DataServerDependencies<Context>) {
    this.#listener = new Listener({ handler, ticker, clock, limits, ...(raw === undefined ? {} : { raw }) });
    this.#reusePort = reusePort;
  }

  /** Resolves with the bound port; rejects when the address cannot be bound. */
  async listen(port: number, host: string): Promise<number> {
    if (!this.#reusePort) return await this.#listener.listen({ port, host });
    try {
      return await this.#listener.listen({ port, host, reusePort: true });
    } catch (error) {
      // Not on this system. Workers share one socket instead.
      if (!(error instanceof Error && "code" in error && error.code === "ENOTSUP")) throw error;
      return await this.#listener.listen({ port, host });
    }
  }

  /** Stops accepting, lets the requests under way finish, and cuts what is left after `deadlineMs`. */
  drain(deadlineMs: number, idleGraceMs = 0): Promise<void> {
    return this.#listener.drain(deadlineMs, idleGraceMs);
  }
  /** Ends the grace of idle connections, where a drain has given them one. */
  endGrace(): void {
    this.#listener.endGrace();
  }

  /** Ends every connection at once. */
  destroy(): void {
    this.#listener.destroy();
  }
}
