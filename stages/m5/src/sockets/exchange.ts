// One request of a client and its answer: any number of attempts at cells until one answer has begun, or an answer of the
// router's own. It carries bytes in both directions and knows how each may end; which cell, whether again, and what the
// router says in its own name is decided by the handler.

import { BodyReader } from "../http1/body-reader.ts";
import type { ChunkedOutput, ChunkedSink } from "../http1/chunked-reader.ts";
import { persists } from "../http1/framing.ts";
import { downstreamFraming, downstreamHead, upstreamHead } from "../http1/head-writer.ts";
import type { Refusal } from "../http1/refusal.ts";
import { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { Endpoint } from "./connection-pool.ts";
import type { AttemptResult, ClientSide, ExchangeHandler, RouterAnswer } from "./exchange-handler.ts";
import type { UpstreamConnection, UpstreamFault, UpstreamUser } from "./upstream-connection.ts";

/** The largest body of a refused request that is read and thrown away to keep the connection. In bytes. */
const maxDiscardedBytes = 65_536;

const clientAborted: AttemptResult = { kind: "client-aborted" };

/** Takes a body that nobody wants. */
const nowhere: ChunkedSink = { bodyBytes: () => {}, bodyText: () => {}, trailers: () => "" };

/** Reused from request to request on one connection. */
export class Exchange<Context> implements UpstreamUser {
  context: Context | undefined;
  readonly head = new RequestHead();
  /** Status that the client got; 0 before it got one. */
  status = 0;
  /** Content of the answer that came from the cell, in bytes. */
  bytesOut = 0;
  readonly #handler: ExchangeHandler<Context>;
  readonly #client: ClientSide;
  readonly #requestBody = new BodyReader();
  /** Where the request's body goes; undefined while it cannot be taken. */
  #bodySink: ChunkedSink | undefined;
  #endpoint: Endpoint | undefined;
  #upstream: UpstreamConnection | undefined;
  #ownLines = "";
  #bodySpent = false;
  /** The client has been told to go on with its body. */
  #continued = false;
  #keepsAlive = false;
  #endsByClose = false;
  #headSent = false;
  #writesBeforeHead = 0;
  /** An attempt is under way, and its end has not been told yet. */
  #attempting = false;
  /** The request, or part of it, was sent to the present attempt's cell. */
  #sent = false;
  #gone = false;
  /** The answer is whole, or cut: nothing more is owed to the client. */
  #ended = true;
  /** Counts requests: what is about one must not touch the next. */
  #requests = 0;
  /** Called when the client leaves while no attempt is under way; during one, `onAttemptEnd` tells. */
  onGone: (() => void) | undefined;
  /** An interim answer of a cell has gone to the client. */
  interimSent = false;

  constructor(client: ClientSide, handler: ExchangeHandler<Context>) {
    this.#client = client;
    this.#handler = handler;
  }

  get clientAddress(): string {
    return this.#client.address;
  }

  /** Content of the request that was taken from the client, in bytes. */
  get bytesIn(): number {
    return this.#requestBody.contentBytes;
  }

  /** More of the request's body can be taken now. */
  get awaitsBody(): boolean {
    return this.#bodySink !== undefined;
  }

  /** The answer is out, and the rest of the request's body is only thrown away. */
  get discards(): boolean {
    return this.#bodySink === nowhere;
  }

  /** The client has seen, or will see, the head of an answer. */
  get answered(): boolean {
    return this.#headSent;
  }

  /** The client has left: nothing that is done here reaches it. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Whether another attempt may be made: no answer has begun, and nothing of the request's body is spent. */
  get replayable(): boolean {
    return !this.#headSent && !this.#bodySpent;
  }

  // #region attempt
  /**
   * Sends the request to a cell; `onAttemptEnd` says how it ended, possibly before this returns.
   *
   * @param ownLines Lines that the router adds to the request, each ended by CR LF; `Host` is added here.
   * @throws Error when part of the request, or of an answer, has gone already
   */
  attempt(endpoint: Endpoint, ownLines: string): void {
    if (this.#gone) return this.#handler.onAttemptEnd(this, clientAborted);
    if (!this.replayable) throw new Error("Cannot attempt a request again of which part has been sent");
    this.#attempting = true;
    this.#sent = false;
    this.#endpoint = endpoint;
    this.#ownLines = ownLines;
    const upstream = endpoint.take();
    this.#upstream = upstream;
    upstream.begin(this, this.head.method);
  }

  onConnected(): void {
    const { head } = this;
    const upstream = this.#upstream;
    if (upstream === undefined || this.#endpoint === undefined) return;
    this.#sent = true;
    const { outgoing } = upstream;
    outgoing.connection = head.connection;
    outgoing.text(upstreamHead(head, this.#endpoint.hostLine + this.#ownLines));
    if (this.#requestBody.done) return this.onBodyReadEnd();
    // Only now: a cell that cannot be reached must not cost the client its upload.
    if (head.expectation === "continue" && !this.#continued) {
      this.#continued = true;
      this.#client.outgoing.text("HTTP/1.1 100 Continue\r\n\r\n");
      this.#client.flush();
    }
    this.#bodySink = outgoing;
    this.#client.openBody();
  }
  // #endregion attempt

  // #region request-body
  /** Reads the next request's head from `bytes[from, to)`. Returns why it is refused, or undefined. */
  parse(bytes: Buffer, from: number, to: number): Refusal | undefined {
    this.#reset();
    return this.head.parse(bytes, from, to);
  }

  /** A new request's head has been read. */
  begin(): void {
    const { head } = this;
    this.#requestBody.begin(head.body, "wire");
    this.#keepsAlive = persists(head.minorVersion, head.connection) && head.method !== "CONNECT";
    try {
      this.#handler.onRequest(this);
    } catch (error) {
      this.contain(error, this.context);
    }
  }

  /** What came cannot be a request, or came too late to be one. */
  refuse(refusal: Refusal): void {
    this.#reset();
    this.head.clear();
    this.#requestBody.begin(this.head.body, "wire");
    this.#keepsAlive = false;
    try {
      this.#handler.onRefusal(this, refusal);
    } catch (error) {
      this.contain(error, this.context);
    }
  }

  /** Takes bytes of the request's body. Returns the index after the last one taken; `from` when none can be taken now. */
  readBody(bytes: Buffer, from: number, to: number): number {
    const sink = this.#bodySink;
    if (sink === undefined) return from;
    this.#bodySpent = true;
    const body = this.#requestBody;
    const next = body.read(bytes, from, to, sink);
    if (body.refusal !== undefined) {
      this.failBody(body.refusal);
      return to;
    }
    if (!body.done) return next;
    this.#bodySink = undefined;
    if (sink === nowhere) this.#client.endExchange(this.#keepsAlive);
    return next;
  }

  /** Everything that one read brought of the body has been taken. */
  onBodyReadEnd(): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    const goesOn = upstream.outgoing.flush();
    if (this.#requestBody.done) return this.#awaitAnswer(upstream);
    if (goesOn) return upstream.awaits("client");
    upstream.awaits("read");
    this.#client.pauseBody();
  }

  /** The request is whole. The cell's time for its answer runs once the system has all of it. */
  #awaitAnswer(upstream: UpstreamConnection): void {
    const { outgoing } = upstream;
    if (outgoing.written) return upstream.awaits("answer");
    upstream.awaits("read");
    upstream.whenWritten(() => {
      if (this.#upstream === upstream) upstream.awaits("answer");
    });
  }

  /** The cell takes more of the request's body again. */
  onDrain(): void {
    if (this.#requestBody.done) return;
    this.#upstream?.awaits("client");
    this.#client.resumeBody();
  }

  /** The request's body is no body, or does not come. */
  failBody(refusal: Refusal): void {
    this.#keepsAlive = false;
    this.#dropUpstream();
    // A body that was only being thrown away.
    if (!this.#attempting) return this.#client.cut(false);
    this.#fail(refusal.code, refusal.rule, false);
  }
  // #endregion request-body

  // #region answer
  /** Where an answer's body goes. */
  get sink(): ChunkedSink {
    return this.#client.outgoing;
  }

  onInterim(head: ResponseHead): void {
    // The router has answered the client's expectation itself, and an HTTP/1.0 client knows no interim answers.
    if (head.status === 100 || this.head.minorVersion === 0) return;
    this.interimSent = true;
    this.#client.outgoing.text(downstreamHead(head, "as-came", ""));
  }

  onHead(head: ResponseHead): ChunkedOutput | undefined {
    const ownLines = this.#ownLinesFor(head);
    if (ownLines === "contained") return undefined;
    if (ownLines === undefined) {
      this.#upstream = undefined;
      this.#bodySink = undefined;
      this.#endAttempt({ kind: "withheld", status: head.status });
      return undefined;
    }
    const { minorVersion } = this.head;
    const framing = downstreamFraming(head.body, minorVersion);
    this.#endsByClose = framing === "until-close";
    this.#keepsAlive &&= !this.#endsByClose && !this.#client.draining && this.#requestBody.done;
    this.#headSent = true;
    this.status = head.status;
    const { outgoing } = this.#client;
    this.#writesBeforeHead = outgoing.writes;
    outgoing.connection = head.connection;
    outgoing.chunking = framing === "chunked" && head.body.kind === "until-close";
    outgoing.text(downstreamHead(head, framing, ownLines + this.#connectionLine()));
    return framing === "chunked" ? "wire" : "data";
  }

  /** `contained`: the attempt has ended, and the exchange may carry the next request already. */
  #ownLinesFor(head: ResponseHead): string | "contained" | undefined {
    try {
      return this.#handler.onAnswer(this, head);
    } catch (error) {
      this.contain(error, this.context);
      return "contained";
    }
  }

  onReadEnd(): boolean {
    return this.#client.flush();
  }

  /** The client takes more of the answer again. */
  onClientDrain(): void {
    this.#upstream?.resume();
  }

  onAnswerEnd(reusable: boolean): void {
    const { outgoing } = this.#client;
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    outgoing.endChunks();
    this.#client.flush();
    // The write has shown that the client is gone, and nothing of this exchange is left.
    if (this.#gone) return;
    this.bytesOut = upstream.contentBytes;
    this.#upstream = undefined;
    this.#bodySink = undefined;
    // The rest of a request that the cell did not wait for would be the start of the next one.
    if (reusable && this.#requestBody.done) this.#endpoint?.give(upstream);
    else upstream.destroy();
    this.#client.whenWritten(this.#onWritten);
  }

  readonly #onWritten = (): void => {
    if (this.#gone) return;
    this.#ended = true;
    this.#endAttempt({ kind: "complete", status: this.status });
    this.#client.endExchange(this.#keepsAlive);
  };
  // #endregion answer

  // #region endings
  /** Answers in the router's own name. Does nothing when the client has left. */
  answer({ status, reason, lines, body }: RouterAnswer): void {
    if (this.#gone || this.#headSent) return;
    this.#headSent = true;
    this.#writesBeforeHead = this.#client.outgoing.writes;
    this.status = status;
    const discards = this.#mayDiscardBody();
    this.#keepsAlive &&= !this.#client.draining && (this.#requestBody.done || discards);
    const { outgoing } = this.#client;
    // A 204 has no length, not even that of nothing (RFC 9110 §8.6).
    const length = status === 204 ? "" : `Content-Length: ${body.length}\r\n`;
    const framing = `${length}${this.#connectionLine()}\r\n`;
    outgoing.text(
      `HTTP/1.1 ${status} ${reason}\r\n${lines}${framing}${this.head.method === "HEAD" ? "" : body}`,
    );
    this.#client.flush();
    this.#ended = true;
    if (!this.#keepsAlive || this.#requestBody.done) return this.#client.endExchange(this.#keepsAlive);
    this.#bodySink = nowhere;
    this.#client.openBody();
  }

  onFault(fault: UpstreamFault, cause: string): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    this.#fail(fault, cause, upstream.used && !upstream.answerStarted);
  }

  /** The client's connection is gone. */
  onClientGone(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#ended = true;
    this.#dropUpstream();
    if (this.#attempting) return this.#endAttempt(clientAborted);
    try {
      this.onGone?.();
    } catch (error) {
      this.contain(error, this.context);
    }
  }

  #fail(
    code: Extract<AttemptResult, { kind: "failed" }>["code"],
    cause: string,
    staleConnection: boolean,
  ): void {
    if (this.#upstream !== undefined) this.bytesOut = this.#upstream.contentBytes;
    this.#upstream = undefined;
    const headSent = this.#breakOff();
    this.#endAttempt({ kind: "failed", code, cause, headSent, staleConnection, sent: this.#sent });
  }

  /** Returns true when an answer had begun and was cut; false when the client can still be told in words. */
  #breakOff(): boolean {
    // A head that came along with the fault has not left yet.
    if (this.#headSent && this.#client.outgoing.writes === this.#writesBeforeHead) {
      this.#headSent = false;
      this.status = 0;
    }
    this.#bodySink = undefined;
    this.#client.outgoing.clear();
    // Ending the answer here would make a cut body look whole; a broken connection cannot be mistaken for an end.
    if (this.#headSent) {
      this.#gone = true;
      this.#ended = true;
      this.#client.cut(this.#endsByClose);
    }
    return this.#headSent;
  }

  #endAttempt(result: AttemptResult): void {
    const { context } = this;
    this.#attempting = false;
    try {
      this.#handler.onAttemptEnd(this, result);
    } catch (error) {
      this.contain(error, context);
    }
  }
  // #endregion endings

  // #region contain
  /** A step of a connection threw while it served this exchange. How far its bytes have been read, nobody can say any more. */
  onThrow(error: unknown): void {
    this.#keepsAlive = false;
    const hadEnded = this.#ended;
    this.contain(error, this.context);
    if (hadEnded) this.#client.cut(false);
  }

  /**
   * Something threw on behalf of the request with this context. It costs that request, and nothing else: the handler gives
   * back what the request holds, and the client gets an answer in words, or a cut where one had begun.
   */
  contain(error: unknown, context: Context | undefined): void {
    const isPresent = context === this.context && !this.#ended;
    const request = this.#requests;
    let isDealtWith = false;
    try {
      if (isPresent) {
        this.#attempting = false;
        this.#dropUpstream();
        this.#breakOff();
      }
      this.#handler.onThrow(this, context, error);
      isDealtWith = this.#ended || this.#requests !== request;
    } catch (another) {
      this.#handler.report(another);
    }
    if (isPresent && !isDealtWith) this.#client.cut(false);
  }
  // #endregion contain

  #dropUpstream(): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    this.bytesOut = upstream.contentBytes;
    this.#upstream = undefined;
    this.#bodySink = undefined;
    upstream.destroy();
  }

  #reset(): void {
    this.#requests++;
    this.context = undefined;
    this.onGone = undefined;
    this.interimSent = false;
    this.#ended = false;
    this.#attempting = false;
    this.status = 0;
    this.bytesOut = 0;
    this.#bodySink = undefined;
    this.#endpoint = undefined;
    this.#bodySpent = false;
    this.#continued = false;
    this.#endsByClose = false;
    this.#headSent = false;
  }

  #connectionLine(): string {
    if (!this.#keepsAlive) return "Connection: close\r\n";
    return this.head.minorVersion === 0 ? "Connection: keep-alive\r\n" : "";
  }

  /** Whether the rest of a refused request is cheaper to read than a new connection is to make. */
  #mayDiscardBody(): boolean {
    const { body } = this.head;
    // A client that waits for 100 Continue may or may not send the body now: nobody could tell it from a request.
    return body.kind === "length" && body.length <= maxDiscardedBytes && this.head.expectation !== "continue";
  }
}
