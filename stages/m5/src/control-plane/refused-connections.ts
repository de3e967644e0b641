// Connections that are refused before their request has been read: too many of them, a bad handshake, no token. Each is told
// why, and closed whether its client closes or not.

import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { type ProblemCode, problems } from "./problems.ts";
import { problemBody } from "./responses.ts";

/** How long a client may take to read why it was refused. */
const lingerMs = 1_000;

/** At most this many of them at a time: the rest are cut at once. */
const maxLingering = 64;

export class RefusedConnections {
  readonly #clock: Clock;
  readonly #lingering = new Set<Duplex>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many are still open. */
  get size(): number {
    return this.#lingering.size;
  }

  has(socket: Duplex): boolean {
    return this.#lingering.has(socket);
  }

  /** Responds on the bare connection, and closes it. */
  refuse(socket: Duplex, code: ProblemCode): void {
    const body = problemBody(code);
    const [status] = problems[code];
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
    if (this.#lingering.size >= maxLingering) return void socket.destroy();
    this.#lingering.add(socket);
    // With unread bytes in it, a connection that is closed is reset, and the response may be gone with it.
    socket.resume();
    const gone = new AbortController();
    socket.once("close", () => {
      this.#lingering.delete(socket);
      gone.abort();
    });
    this.#clock.sleep(lingerMs, gone.signal).then(
      () => socket.destroy(),
      () => {},
    );
  }
}
