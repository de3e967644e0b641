// The client's end of an exchange, as far as the exchange uses it. Types only; `client-connection.ts` is the one that there is.

import type { Outgoing } from "./outgoing.ts";

export interface ClientSide {
  readonly address: string;
  /** The router is stopping: this response is the connection's last. */
  readonly draining: boolean;
  readonly outgoing: Outgoing;
  /** Sends what `outgoing` has gathered. Returns false when the client must catch up; `onClientDrain` follows. */
  flush(): boolean;
  /** Whether everything is in the hands of the system. Where it is not yet, `onClientWritten` follows. */
  isWritten(): boolean;
  /** The request's body can be taken now. */
  openBody(): void;
  /** The request's body cannot be taken until `resumeBody`. */
  pauseBody(): void;
  resumeBody(): void;
  /** The exchange has ended in order. `keepsAlive`: the connection may carry another, which never begins within this call. */
  endExchange(keepsAlive: boolean): void;
  /** The response ends in the middle, and the client must see that. `reset`: an orderly end would look like the body's. */
  cut(reset: boolean): void;
}
