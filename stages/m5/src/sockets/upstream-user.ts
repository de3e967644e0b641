// Whom a connection to a cell serves: what an exchange hears of its request, in the order in which it happens. Types only.

import type { ResponseTaker } from "./response-reader.ts";
import type { UpstreamFailure } from "./upstream-failure.ts";

/** Whose exchange a connection carries. Calls come in this order, and none after the last one. */
export interface UpstreamUser extends ResponseTaker {
  /** The connection stands; now the request may be sent. */
  onConnected(): void;
  /** Everything that one read brought has been handed on. Returns false to be spared more until `resume`. */
  onReadEnd(): boolean;
  /** The response is whole. `reusable`: as far as the response goes, the connection can carry another. */
  onResponseEnd(reusable: boolean): void;
  /** The last call: the exchange failed. `cause` is machine-readable, such as `ECONNREFUSED`. */
  onFailure(failure: UpstreamFailure, cause: string): void;
  /** The cell takes more of the request again. */
  onDrain(): void;
  /** A step of this exchange threw. The connection is gone; `onFailure` will not be called. */
  onThrow(error: unknown): void;
}
