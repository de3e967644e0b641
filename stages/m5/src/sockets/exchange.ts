// One request of a client and its response: any number of attempts at cells until one response has begun, or a response of the
// router's own. It owns the order of things: the phase that the request is in, and what may follow. The bytes go through
// `attempt.ts`, `request-side.ts` and `response-side.ts`; what to do is decided by the request's owner.

import type { BodyReader } from "../http1/body-reader.ts";
import type { Refusal } from "../http1/refusal.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { Attempt, type AttemptedExchange } from "./attempt.ts";
import type { ClientSide } from "./client-side.ts";
import type { Endpoint } from "./connection-pool.ts";
import type { Phase } from "./exchange-phase.ts";
import type {
  AttemptResult,
  FailureCode,
  OwnedExchange,
  RequestHandler,
  RequestOwner,
} from "./request-owner.ts";
import { RequestSide } from "./request-side.ts";
import { ResponseSide, type RouterResponse } from "./response-side.ts";

export class Exchange implements OwnedExchange, AttemptedExchange {
  readonly request: RequestSide;
  readonly response: ResponseSide;
  readonly #client: ClientSide;
  readonly #handler: RequestHandler;
  #owner: RequestOwner | undefined;
  #phase: Phase = "deciding";

  /** The head and what reads the body are lent: they belong to the connection, and carry its next request after this one. */
  constructor(client: ClientSide, handler: RequestHandler, head: RequestHead, body: BodyReader) {
    this.#client = client;
    this.#handler = handler;
    this.request = new RequestSide(client, head, body);
    this.response = new ResponseSide(client, this.request);
  }

  get isGone(): boolean {
    return this.#phase === "gone";
  }

  get isReplayable(): boolean {
    return !this.response.isBegun && this.request.isReplayable;
  }

  // #region exchange
  /** The request's head has been read; with `refusal`, what cannot be one. */
  begin(refusal?: Refusal): void {
    const { request, response } = this;
    if (refusal !== undefined) request.head.clear();
    request.begin();
    response.keepsAlive = refusal === undefined && request.asksToPersist;
    try {
      this.#owner = this.#handler.onRequest(this);
      if (refusal === undefined) this.#owner.serve();
      else this.#owner.refuse(refusal);
    } catch (error) {
      this.contain(error);
    }
  }

  attempt(endpoint: Endpoint, ownLines: string): void {
    if (this.#phase === "gone") return this.#tell({ kind: "client-aborted" });
    if (!this.isReplayable) throw new Error("Cannot attempt a request again of which part has been sent");
    const attempt = new Attempt(this, this.#client, endpoint, ownLines);
    this.#phase = attempt;
    attempt.begin();
  }

  respond(own: RouterResponse): void {
    const { request, response } = this;
    if (this.#phase === "gone" || response.isBegun) return;
    response.send(own);
    if (this.isGone) return response.lose();
    if (!response.keepsAlive || request.isWhole) return this.#endOnceWritten();
    this.#phase = "ended";
    request.discard();
    this.#client.openBody();
  }

  /** Nothing follows a response that the client leaves unread: responses to all that it sends would be kept for it. */
  #endOnceWritten(): void {
    const isWritten = !this.response.keepsAlive || this.#client.isWritten();
    this.#phase = "ended";
    if (isWritten) this.#client.endExchange(this.response.keepsAlive);
  }
  // #endregion exchange

  // #region endings
  /** Takes bytes of the request's body. Returns the index after the last one taken; `from` when none can be taken now. */
  readBody(bytes: Buffer, from: number, to: number): number {
    const next = this.request.read(bytes, from, to);
    if (typeof next !== "number") {
      this.failBody(next);
      return to;
    }
    if (this.#phase === "ended" && this.request.isWhole && next !== from) this.#endOnceWritten();
    return next;
  }

  /** Everything that one read brought of the body has been taken. */
  onBodyReadEnd(): void {
    if (typeof this.#phase === "object") this.#phase.flushBody();
  }

  /** The request's body is malformed, or has not come in time. */
  failBody(refusal: Refusal): void {
    this.response.keepsAlive = false;
    if (typeof this.#phase === "object") this.#phase.failBody(refusal);
    // Nobody waits for the body: it was only being thrown away, for example.
    else this.#client.cut(false);
  }

  /** The client takes more of the response again. */
  onClientDrain(): void {
    if (typeof this.#phase === "object") this.#phase.resume();
  }

  /** The system has all of the response. */
  onClientWritten(): void {
    if (this.#phase === "finishing") {
      this.#phase = "ended";
      this.#tell({ kind: "complete", status: this.response.status });
    }
    if (this.#phase === "ended") this.#client.endExchange(this.response.keepsAlive);
  }

  /** The client's connection is gone. */
  onClientGone(): void {
    const phase = this.#phase;
    if (phase === "gone") return;
    if (typeof phase === "object") phase.drop();
    this.#phase = "gone";
    if (typeof phase === "object" || phase === "finishing") return this.#tell({ kind: "client-aborted" });
    if (phase === "ended") return;
    try {
      this.#owner?.onClientGone();
    } catch (error) {
      this.contain(error);
    }
  }

  onHead(head: ResponseHead): string | undefined {
    try {
      return this.#owner?.onResponse(head);
    } catch (error) {
      this.contain(error);
      return undefined;
    }
  }

  onDiscardedEnd(status: number): void {
    this.#phase = "deciding";
    this.#tell({ kind: "discarded", status });
  }

  onResponseEnd(): void {
    this.#phase = "finishing";
    if (this.#client.isWritten()) this.onClientWritten();
  }

  onFailureEnd(code: FailureCode, cause: string, staleConnection: boolean, sent: boolean): void {
    const headSent = this.#breakOff();
    this.#tell({ kind: "failed", code, cause, headSent, staleConnection, sent });
  }
  // #endregion endings

  /** Returns true when a response had begun and was cut; false when the client can still be told in words. */
  #breakOff(): boolean {
    this.#phase = "deciding";
    if (this.response.takeBack()) return false;
    this.#phase = "gone";
    // Ending the response here would make a cut body look whole; a broken connection cannot be mistaken for an end.
    this.#client.cut(this.response.endsByClose);
    return true;
  }

  #tell(result: AttemptResult): void {
    try {
      this.#owner?.onAttemptEnd(result);
    } catch (error) {
      this.contain(error);
    }
  }

  // #region contain
  /** A step of a connection threw while it served this exchange. How far its bytes have been read, nobody can say any more. */
  onThrow(error: unknown): void {
    const wasEnded = this.#isEnded;
    this.response.keepsAlive = false;
    this.contain(error);
    if (wasEnded) this.#client.cut(false);
  }

  /**
   * Something threw on behalf of this request. It costs this request, and nothing else: the owner gives back what the request
   * holds, and the client gets a response in words, or a cut where one had begun.
   */
  contain(error: unknown): void {
    const wasEnded = this.#isEnded;
    try {
      if (!wasEnded) {
        if (typeof this.#phase === "object") this.#phase.drop();
        this.#breakOff();
      }
      if (this.#owner !== undefined) this.#owner.endByThrow(error);
      else this.#handler.onThrow(this, error);
    } catch (another) {
      this.#handler.report(another);
    }
    if (!wasEnded && !this.#isEnded) this.#client.cut(false);
  }

  get #isEnded(): boolean {
    return this.#phase === "ended" || this.#phase === "gone";
  }
  // #endregion contain
}
