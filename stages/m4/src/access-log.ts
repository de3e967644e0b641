// One JSON line for each request, when it has ended. Owns the line's fields; pino owns the writing.

import type { Logger } from "pino";

/** How a request ended: whole, cut by the client, or cut by the cell. */
export type Outcome = "complete" | "client-aborted" | "upstream-failed";

export interface AccessEntry {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly routingKey?: string;
  readonly placement?: string;
  readonly reason?: string;
  readonly upstream?: string;
  /** Placement that served, where it is another than the one routed to, and why. */
  readonly servedBy?: string | undefined;
  readonly failoverReason?: string | undefined;
  readonly retries?: number | undefined;
  /** Status sent to the client; 0 when the client left before there was one. */
  readonly status: number;
  readonly durationMs: number;
  /** Bytes of the request's body that went to the cell. */
  readonly bytesIn: number;
  /** Bytes of the response's body that came from the cell. */
  readonly bytesOut: number;
  readonly outcome: Outcome;
  /** Error code of a response that the router made itself, and the machine-readable cause. */
  readonly code?: string;
  readonly cause?: string;
}

export class AccessLog {
  readonly #logger: Logger;
  readonly #listeners: readonly ((entry: AccessEntry) => void)[];

  /** @param listeners Told of every entry too, such as metrics: one place knows how each request ended. */
  constructor(logger: Logger, listeners: readonly ((entry: AccessEntry) => void)[] = []) {
    this.#logger = logger;
    this.#listeners = listeners;
  }

  record(entry: AccessEntry): void {
    this.#logger.info({ event: "request", ...entry });
    for (const listener of this.#listeners) {
      try {
        listener(entry);
      } catch (error) {
        // The request has ended, well or badly; a listener must not change that.
        this.#logger.error({ event: "listener-failed", cause: String(error) });
      }
    }
  }
}
