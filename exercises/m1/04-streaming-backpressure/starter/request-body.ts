// The client's body on its way to a cell, as a stream of its own. An HTTP client destroys the body that it was given
// when an attempt fails, and destroying Node's request object would cut the connection on which the error response
// has yet to be sent.

import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

// #region request-body
export class RequestBody extends Readable {
  readonly #req: IncomingMessage;
  readonly #counts: { bytesIn: number };

  constructor(req: IncomingMessage, counts: { bytesIn: number }) {
    super({ highWaterMark: 64 * 1024 });
    this.#req = req;
    this.#counts = counts;
    // Nobody else listens while the request waits for a connection, and the client can leave then, too.
    this.on("error", () => {});
    req.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onError).on("close", this.#onClose);
  }

  override _read(): void {
    // Nothing to ask for: the client's body flows by itself.
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const req = this.#req;
    req
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onClose);
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#counts.bytesIn += chunk.length;
    this.push(chunk);
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
