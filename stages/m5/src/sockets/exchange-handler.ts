// What an exchange needs from its two neighbours: the handler, which decides, and the client's connection. Types only.

import type { Refusal, RefusalCode } from "../http1/refusal.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { Exchange } from "./exchange.ts";
import type { FaultReport } from "./fault-report.ts";
import type { Outgoing } from "./outgoing.ts";
import type { UpstreamFault } from "./upstream-connection.ts";

export type AttemptResult =
  /** The answer was passed on whole. */
  | { readonly kind: "complete"; readonly status: number }
  /** The head of an answer came, and the handler kept it from the client: another attempt may follow. */
  | { readonly kind: "withheld"; readonly status: number }
  /** The client left before the answer's end. */
  | { readonly kind: "client-aborted" }
  | {
      readonly kind: "failed";
      /** What failed: the way to the cell and back, or the body that the client sent. */
      readonly code: UpstreamFault | RefusalCode;
      /** Machine-readable cause for the log, such as `ECONNREFUSED`, or the rule that was broken. */
      readonly cause: string;
      /** The client has already seen the head of an answer; its connection was cut. */
      readonly headSent: boolean;
      /** The connection had been used before and not a byte of an answer came: the cell may never have read this request. */
      readonly staleConnection: boolean;
      /** Some of the request may have reached the cell. */
      readonly sent: boolean;
    };

/** Decides. Every call concerns one exchange; `exchange.context` is the handler's own room in it. */
export interface ExchangeHandler<Context> {
  /** A request's head has come. Call `attempt` or `answer`, now or later. */
  onRequest(exchange: Exchange<Context>): void;
  /** What came is no request. Call `answer`, now. The head is empty. */
  onRefusal(exchange: Exchange<Context>, refusal: Refusal): void;
  /**
   * The head of a cell's answer. Returns the lines that the router adds to it, each ended by CR LF, or undefined to
   * withhold the answer.
   */
  onAnswer(exchange: Exchange<Context>, head: ResponseHead): string | undefined;
  /** An attempt has ended. Unless the exchange has (`complete`, `client-aborted`, `headSent`): attempt again or answer. */
  onAttemptEnd(exchange: Exchange<Context>, result: AttemptResult): void;
  /**
   * Something threw on behalf of a request, in a call to this handler or in what followed from it: its last call. Give back
   * what the request holds, and answer, unless it has been answered.
   *
   * @param context The request's. Undefined where it had none yet; the exchange may carry the next request by now.
   */
  onThrow(exchange: Exchange<Context>, context: Context | undefined, error: unknown): void;
  /** For what is nobody's request. */
  readonly report: FaultReport;
}

/** An answer of the router's own. */
export interface RouterAnswer {
  readonly status: number;
  readonly reason: string;
  /** Field lines, each ended by CR LF; framing and connection are added. */
  readonly lines: string;
  /** ASCII. */
  readonly body: string;
}

/** The client's end, as far as an exchange uses it. */
export interface ClientSide {
  readonly address: string;
  /** The router is stopping: this answer is the connection's last. */
  readonly draining: boolean;
  readonly outgoing: Outgoing;
  /** Sends what `outgoing` has gathered. Returns false when the client must catch up; `onClientDrain` follows. */
  flush(): boolean;
  /** The request's body can be taken now. */
  openBody(): void;
  /** The request's body cannot be taken until `resumeBody`. */
  pauseBody(): void;
  resumeBody(): void;
  /** Calls back when everything has been handed to the system. */
  whenWritten(callback: () => void): void;
  /** The exchange has ended in order. `keepsAlive`: the connection may carry another. */
  endExchange(keepsAlive: boolean): void;
  /** The answer ends in the middle, and must be seen to. `reset`: an orderly end would look like the body's. */
  cut(reset: boolean): void;
}
