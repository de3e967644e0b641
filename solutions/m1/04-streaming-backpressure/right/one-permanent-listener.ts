// The cell's body on its way to the client: each piece is written as it comes, and the cell is read no faster than
// the client reads. Heads, ends and failures are the attempt's business.

import type { ServerResponse } from "node:http";

/** The part of undici's controller that stops and starts the reading from the cell. */
export interface CellFlow {
  pause(): void;
  resume(): void;
}

export class ResponseBody {
  readonly #res: ServerResponse;
  readonly #cell: CellFlow;

  constructor(res: ServerResponse, cell: CellFlow) {
    this.#res = res;
    this.#cell = cell;
    // A response drains only after a write that returned false.
    res.on("drain", () => this.#cell.resume());
  }

  /**
   * Takes one piece of the response. A piece can still come after `pause`: it was under way already, and it belongs to
   * the response like every other one.
   */
  onData(chunk: Buffer): void {
    if (!this.#res.write(chunk)) this.#cell.pause();
  }
}
