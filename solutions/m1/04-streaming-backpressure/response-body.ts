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
  #waitingForDrain = false;

  constructor(res: ServerResponse, cell: CellFlow) {
    this.#res = res;
    this.#cell = cell;
  }

  /**
   * Takes one piece of the response. A piece can still come after `pause`: it was under way already, and it belongs to
   * the response like every other one.
   */
  onData(chunk: Buffer): void {
    if (this.#res.write(chunk)) return;
    // The client reads more slowly than the cell writes: stop reading from the cell until the client has caught up.
    this.#cell.pause();
    if (this.#waitingForDrain) return;
    this.#waitingForDrain = true;
    this.#res.once("drain", () => {
      this.#waitingForDrain = false;
      this.#cell.resume();
    });
  }
}
