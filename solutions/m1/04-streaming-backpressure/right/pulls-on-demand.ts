// The client's body on its way to a cell, as a stream of its own. An HTTP client destroys the body that it was given
// when an attempt fails, and destroying Node's request object would cut the connection on which the error response
// has yet to be sent.

import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

// #region request-body
export class RequestBody extends Readable {
  readonly #req: IncomingMessage;
  readonly #counts: { bytesIn: number };
  #wanted = false;

  constructor(req: IncomingMessage, counts: { bytesIn: number }) {
    super({ highWaterMark: 64 * 1024 });
    this.#req = req;
    this.#counts = counts;
    // Nobody else listens while the request waits for a connection, and the client can leave then, too.
    this.on("error", () => {});
    req
      .on("readable", this.#pull)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onClose);
  }

  override _read(): void {
    this.#wanted = true;
    this.#pull();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const req = this.#req;
    req
      .off("readable", this.#pull)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onClose);
    callback(error);
  }

  /** Takes pieces from the client only while the cell wants more. */
  readonly #pull = (): void => {
    while (this.#wanted) {
      const chunk: Buffer | null = this.#req.read();
      if (chunk === null) return;
      this.#counts.bytesIn += chunk.length;
      this.#wanted = this.push(chunk);
    }
  };

  readonly #onEnd = (): void => {
    this.push(null);
  };

  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  readonly #onClose = (): void => {
    // Half a body must not look like a whole one to the cell.
    if (!this.#req.complete) this.destroy(new Error("The client left in the middle of its body."));
  };
}
// #endregion request-body
