// Who decides about a request: what the exchange asks of its owner, and what the owner may do with the exchange. Types only.

import type { Refusal, RefusalCode } from "../http1/refusal.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { Endpoint } from "./connection-pool.ts";
import type { FaultReport } from "./fault-report.ts";
import type { RequestSide } from "./request-side.ts";
import type { ResponseSide, RouterResponse } from "./response-side.ts";
import type { UpstreamFailure } from "./upstream-failure.ts";

/** What failed: the way to the cell and back, or the body that the client sent. */
export type FailureCode = UpstreamFailure | RefusalCode;

export type AttemptResult =
  /** The response was passed on whole. */
  | { readonly kind: "complete"; readonly status: number }
  /** The head of a response came, and the owner kept it from the client: another attempt may follow. */
  | { readonly kind: "discarded"; readonly status: number }
  /** The client left before the response's end. */
  | { readonly kind: "client-aborted" }
  | {
      readonly kind: "failed";
      readonly code: FailureCode;
      /** Machine-readable cause for the log, such as `ECONNREFUSED`, or the rule that was broken. */
      readonly cause: string;
      /** The client has already seen the head of a response; its connection was cut. */
      readonly headSent: boolean;
      /** The connection had been used before and not a byte of a response came: the cell may never have read this request. */
      readonly staleConnection: boolean;
      /** Some of the request may have reached the cell. */
      readonly sent: boolean;
    };

/** One request and its response, as its owner sees them. */
export interface OwnedExchange {
  readonly request: Pick<RequestSide, "head" | "bytesIn" | "clientAddress">;
  readonly response: Pick<ResponseSide, "status" | "bytesOut" | "interimSent">;
  /** The client has left: nothing that is done here reaches it. */
  readonly isGone: boolean;
  /** Whether another attempt may be made: no response has begun, and nothing of the request's body is spent. */
  readonly isReplayable: boolean;
  /**
   * Sends the request to a cell; the owner's `onAttemptEnd` says how it ended, possibly before this returns.
   *
   * @param ownLines Lines that the router adds to the request, each ended by CR LF; `Host` is added.
   * @throws Error when part of the request, or of a response, has gone already
   */
  attempt(endpoint: Endpoint, ownLines: string): void;
  /** Responds in the router's own name. Does nothing when the client has left. */
  respond(own: RouterResponse): void;
  /** Something threw on behalf of this request, when nobody was there to catch it. */
  contain(error: unknown): void;
}

/** Decides about one request. `serve` or `refuse` is the first call; none but `endByThrow` comes after the request's end. */
export interface RequestOwner {
  /** The request's head has come. Call the exchange's `attempt` or `respond`, now or later. */
  serve(): void;
  /** What came is no request. Call `respond`, now. The head is empty. */
  refuse(refusal: Refusal): void;
  /**
   * The head of a cell's response. Returns the lines that the router adds to it, each ended by CR LF, or undefined to
   * discard the response.
   */
  onResponse(head: ResponseHead): string | undefined;
  /** An attempt has ended. Unless the request has (`complete`, `client-aborted`, `headSent`): attempt again or respond. */
  onAttemptEnd(result: AttemptResult): void;
  /** The client has left while no attempt was under way. */
  onClientGone(): void;
  /**
   * Something threw on behalf of the request, in a call to its owner or in what followed from it: the last call. Give back
   * what the request holds, and respond, unless that has been done.
   */
  endByThrow(error: unknown): void;
}

/** Finds the owners of requests. */
export interface RequestHandler {
  /** A request has come, or what cannot be one. Returns who decides about it, and is called for it next. */
  onRequest(exchange: OwnedExchange): RequestOwner;
  /** `onRequest` threw, so nobody speaks for the request. Call `respond`, now. */
  onThrow(exchange: OwnedExchange, error: unknown): void;
  /** For what is nobody's request. */
  readonly report: FaultReport;
}
