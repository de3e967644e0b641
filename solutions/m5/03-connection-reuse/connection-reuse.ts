// Whether a connection to a cell may carry another request, and which of the idle ones carries the next. Pure: nothing here
// reads or writes a socket.

import type { ConnectionOptions } from "../../../stages/m5/src/http1/connection-options.ts";

/** What is known when a response is whole. */
export interface FinishedExchange {
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly minorVersion: 0 | 1;
  /** What the response's `Connection` says. */
  readonly connection: Pick<ConnectionOptions, "close" | "keepAlive">;
  /** How the response's body was framed. */
  readonly body: "none" | "length" | "chunked" | "until-close";
  /** Bytes that had come behind the response's end when it was found. */
  readonly bytesBehind: number;
  /** The whole request has been sent. A cell may respond before it has read everything. */
  readonly requestDone: boolean;
}

/**
 * Whether the sender of this message means to go on using the connection.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.3
 */
export function persists(
  minorVersion: 0 | 1,
  connection: Pick<ConnectionOptions, "close" | "keepAlive">,
): boolean {
  if (connection.close) return false;
  return minorVersion === 1 || connection.keepAlive;
}

/** Whether the connection can carry another exchange after this one. */
export function reusable(exchange: FinishedExchange): boolean {
  const { minorVersion, connection, body, bytesBehind, requestDone } = exchange;
  // Bytes that nobody asked for would be the next request's response; the rest of a request would be its beginning.
  return persists(minorVersion, connection) && body !== "until-close" && bytesBehind === 0 && requestDone;
}

export interface Connection {
  destroy(): void;
}

/** The idle connections to one endpoint. A connection that is taken belongs to its exchange until it is given back. */
export class IdleConnections<C extends Connection> {
  readonly #idle: C[] = [];
  readonly #maxIdle: number;
  #closing = false;

  constructor(maxIdle: number) {
    this.#maxIdle = maxIdle;
  }

  get size(): number {
    return this.#idle.length;
  }

  /** The idle connection that was used last, which is no longer idle then; undefined where there is none. */
  take(): C | undefined {
    return this.#idle.pop();
  }

  /** Takes a connection back after an exchange: to wait here, or to be destroyed. */
  give(connection: C, exchange: FinishedExchange): void {
    if (this.#closing || this.#idle.length >= this.#maxIdle || !reusable(exchange))
      return connection.destroy();
    this.#idle.push(connection);
  }

  /** The connection is gone, whether it was idle or not. */
  forget(connection: C): void {
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  /** Destroys idle connections now, and the others when they come back. */
  close(): void {
    this.#closing = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}
