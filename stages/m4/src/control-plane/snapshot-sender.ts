// Sends one large message over one WebSocket, piece by piece.

import type { WebSocket } from "ws";
import type { Clock } from "../clock.ts";

/** Pings pass between two pieces; behind a whole large message they would wait, and a link at work would look dead. */
const fragmentBytes = 256 * 1024;

/** A router that takes no piece in this time, in milliseconds, no longer keeps others waiting. */
const stalledAfterMs = 1_000;

/** A router that takes no piece in this time is cut off: otherwise its snapshot could stay in memory for ever. */
const cutAfterMs = 30_000;

export class SnapshotSender {
  readonly #socket: WebSocket;
  readonly #clock: Clock;

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  // #region send
  /**
   * Sends `message`; call it again only after `sent`, which is called once: when all of it has left, or the link has
   * broken. `stalled` is called while the router takes nothing; the rest leaves when the router takes it.
   * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.4 fragmentation
   */
  async send(message: Uint8Array, sent: () => void, stalled: () => void): Promise<void> {
    for (let from = 0; from < message.length; from += fragmentBytes) {
      const taken = new AbortController();
      void this.#watch(taken.signal, stalled);
      // Views of the one encoded message: a thousand links hold no copy of it.
      const isSent = await this.#sendFragment(message, from);
      taken.abort();
      if (!isSent) break;
    }
    sent();
  }

  #sendFragment(message: Uint8Array, from: number): Promise<boolean> {
    const fragment = message.subarray(from, from + fragmentBytes);
    const fin = from + fragment.length === message.length;
    return new Promise((resolve) => {
      this.#socket.send(fragment, { binary: false, fin }, (error) => resolve(!error));
    });
  }

  async #watch(taken: AbortSignal, stalled: () => void): Promise<void> {
    try {
      await this.#clock.sleep(stalledAfterMs, taken);
      stalled();
      await this.#clock.sleep(cutAfterMs - stalledAfterMs, taken);
      this.#socket.terminate();
    } catch {
      // The piece has left.
    }
  }
  // #endregion send
}
