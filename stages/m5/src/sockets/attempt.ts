// One attempt to have a cell serve a request: sends the request over one connection and passes the response on, with no more
// parsing than framing needs. Knows what of the request was sent; what an end means for the request is decided in `exchange.ts`.

import type { ChunkedOutput, ChunkedSink } from "../http1/chunked-reader.ts";
import type { Refusal } from "../http1/refusal.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { ClientSide } from "./client-side.ts";
import type { Endpoint } from "./connection-pool.ts";
import type { FailureCode } from "./request-owner.ts";
import type { RequestSide } from "./request-side.ts";
import type { ResponseSide } from "./response-side.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";
import type { UpstreamFailure } from "./upstream-failure.ts";
import type { UpstreamUser } from "./upstream-user.ts";

/** Whose attempt it is. One of the `on…End` calls is the last, unless the attempt is dropped. */
export interface AttemptedExchange {
  readonly request: RequestSide;
  readonly response: ResponseSide;
  /** The head of a response. Returns the router's lines for it, or undefined to discard it. */
  onHead(head: ResponseHead): string | undefined;
  onDiscardedEnd(status: number): void;
  onResponseEnd(): void;
  onFailureEnd(code: FailureCode, cause: string, staleConnection: boolean, sent: boolean): void;
  /** A step of the attempt threw. */
  onThrow(error: unknown): void;
}

// #region attempt
export class Attempt implements UpstreamUser {
  readonly #exchange: AttemptedExchange;
  readonly #client: ClientSide;
  readonly #endpoint: Endpoint;
  readonly #ownLines: string;
  readonly #upstream: UpstreamConnection;
  /** The request, or part of it, was sent. */
  #isSent = false;
  #isOver = false;

  /** @param ownLines Lines that the router adds to the request, each ended by CR LF; `Host` is added here. */
  constructor(exchange: AttemptedExchange, client: ClientSide, endpoint: Endpoint, ownLines: string) {
    this.#exchange = exchange;
    this.#client = client;
    this.#endpoint = endpoint;
    this.#ownLines = ownLines;
    this.#upstream = endpoint.take();
  }

  begin(): void {
    this.#upstream.begin(this, this.#exchange.request.head.method);
  }

  onConnected(): void {
    const { request } = this.#exchange;
    this.#isSent = true;
    request.sendTo(this.#upstream.outgoing, this.#endpoint.hostLine + this.#ownLines);
    if (request.isWhole) this.flushBody();
    else if (!this.#isOver) this.#client.openBody();
  }

  /** Takes the request from the cell, which learns it from its connection. */
  drop(): void {
    if (this.#isOver) return;
    this.#end();
    this.#upstream.destroy();
  }
  // #endregion attempt

  // #region request-body
  /** Sends what one read brought of the request's body. */
  flushBody(): void {
    if (this.#isOver || !this.#isSent) return;
    const upstream = this.#upstream;
    const goesOn = upstream.outgoing.flush();
    if (this.#exchange.request.isWhole) return this.#awaitResponse();
    if (goesOn) return upstream.awaits("client");
    upstream.awaits("read");
    this.#client.pauseBody();
  }

  /** The request is whole. The cell's time for its response runs once the system has all of it. */
  #awaitResponse(): void {
    const upstream = this.#upstream;
    if (upstream.outgoing.written) return upstream.awaits("response");
    upstream.awaits("read");
    upstream.whenWritten(() => {
      if (!this.#isOver) upstream.awaits("response");
    });
  }

  /** The cell takes more of the request's body again. */
  onDrain(): void {
    if (this.#exchange.request.isWhole) return;
    this.#upstream.awaits("client");
    this.#client.resumeBody();
  }

  /** The request's body is malformed, or has not come in time. */
  failBody({ code, rule }: Refusal): void {
    this.drop();
    this.#exchange.onFailureEnd(code, rule, false, this.#isSent);
  }
  // #endregion request-body

  // #region response
  /** Where a response's body goes. */
  get sink(): ChunkedSink {
    return this.#client.outgoing;
  }

  onInterim(head: ResponseHead): void {
    this.#exchange.response.interim(head);
  }

  onHead(head: ResponseHead): ChunkedOutput | undefined {
    const exchange = this.#exchange;
    const ownLines = exchange.onHead(head);
    // The decision threw, and the request has its response.
    if (this.#isOver) return undefined;
    if (ownLines !== undefined) return exchange.response.begin(head, ownLines);
    this.#end();
    exchange.onDiscardedEnd(head.status);
    return undefined;
  }

  onReadEnd(): boolean {
    return this.#client.flush();
  }

  /** The client takes more of the response again. */
  resume(): void {
    this.#upstream.resume();
  }

  onResponseEnd(reusable: boolean): void {
    const { request, response } = this.#exchange;
    response.end();
    // The write has shown that the client is gone, and nothing of this attempt is left.
    if (this.#isOver) return;
    this.#end();
    // The rest of a request that the cell did not wait for would be the start of the next one.
    if (reusable && request.isWhole) this.#endpoint.give(this.#upstream);
    else this.#upstream.destroy();
    this.#exchange.onResponseEnd();
  }

  onFailure(failure: UpstreamFailure, cause: string): void {
    const { used, responseStarted } = this.#upstream;
    this.#end();
    this.#exchange.onFailureEnd(failure, cause, used && !responseStarted, this.#isSent);
  }

  onThrow(error: unknown): void {
    this.#exchange.onThrow(error);
  }
  // #endregion response

  #end(): void {
    this.#isOver = true;
    this.#exchange.request.close();
    this.#exchange.response.bytesOut = this.#upstream.contentBytes;
  }
}
