// The request's half of an exchange: its head, and its body on the way from the client to a cell. Knows how far it has come and
// whether it can be sent again; when it goes where is decided in `exchange.ts`.

import type { BodyReader } from "../http1/body-reader.ts";
import type { ChunkedSink } from "../http1/chunked-reader.ts";
import { persists } from "../http1/framing.ts";
import { upstreamHead } from "../http1/head-writer.ts";
import type { Refusal } from "../http1/refusal.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ClientSide } from "./client-side.ts";
import type { Outgoing } from "./outgoing.ts";

/** The largest body of a refused request that is read and thrown away to keep the connection. In bytes. */
const maxDiscardedBytes = 65_536;

/** Takes a body that nobody wants. */
const nowhere: ChunkedSink = { bodyBytes: () => {}, bodyText: () => {}, trailers: () => "" };

// #region request-side
export class RequestSide {
  /** Valid until the connection's next request. */
  readonly head: RequestHead;
  readonly #client: ClientSide;
  readonly #body: BodyReader;
  /** Where the body goes; undefined while it cannot be taken. */
  #sink: ChunkedSink | undefined;
  /** Part of the body has been taken from the client, who will not send it again. */
  #isSpent = false;
  /** The client has been told to go on with its body. */
  #isContinued = false;
  /** What the cell got, once the rest is thrown away. */
  #bytesIn: number | undefined;

  constructor(client: ClientSide, head: RequestHead, body: BodyReader) {
    this.#client = client;
    this.head = head;
    this.#body = body;
  }

  /** The head has been read, or what stands in for it. */
  begin(): void {
    this.#body.begin(this.head.body, "wire");
  }

  get clientAddress(): string {
    return this.#client.address;
  }

  /** Content of the body that went to a cell, in bytes. */
  get bytesIn(): number {
    return this.#bytesIn ?? this.#body.contentBytes;
  }

  /** All of it has been taken from the client. */
  get isWhole(): boolean {
    return this.#body.done;
  }

  /** Nothing of the body is spent: the request can be sent to another cell. */
  get isReplayable(): boolean {
    return !this.#isSpent;
  }

  /** More of the body can be taken now. */
  get awaitsBody(): boolean {
    return this.#sink !== undefined;
  }

  /** The response is out, and the rest of the body is only thrown away. */
  get isDiscarded(): boolean {
    return this.#sink === nowhere;
  }

  /** Whether the client wants its connection to carry another request. */
  get asksToPersist(): boolean {
    const { minorVersion, connection, method } = this.head;
    return persists(minorVersion, connection) && method !== "CONNECT";
  }

  /** Whether the rest of a refused request is cheaper to read than a new connection is to make. */
  get isWorthDiscarding(): boolean {
    const { body, expectation } = this.head;
    // A client that waits for 100 Continue may or may not send the body now: nobody could tell it from a request.
    return body.kind === "length" && body.length <= maxDiscardedBytes && expectation !== "continue";
  }

  /** Gathers the head for a cell, and lets the body follow. `ownLines` are the router's, each ended by CR LF. */
  sendTo(outgoing: Outgoing, ownLines: string): void {
    const { head } = this;
    outgoing.connection = head.connection;
    outgoing.text(upstreamHead(head, ownLines));
    if (this.#body.done) return;
    // Only now: a cell that cannot be reached must not cost the client its upload.
    if (!this.#isContinued && head.expectation === "continue") {
      this.#isContinued = true;
      this.#client.outgoing.text("HTTP/1.1 100 Continue\r\n\r\n");
      this.#client.flush();
    }
    this.#sink = outgoing;
  }

  /** Takes bytes of the body. Returns the index after the last one taken, or why they cannot be part of a body. */
  read(bytes: Buffer, from: number, to: number): number | Refusal {
    const sink = this.#sink;
    if (sink === undefined) return from;
    this.#isSpent = true;
    const body = this.#body;
    const next = body.read(bytes, from, to, sink);
    if (body.refusal !== undefined) return body.refusal;
    if (body.done) this.#sink = undefined;
    return next;
  }

  /** Nobody takes the body for now. */
  close(): void {
    this.#sink = undefined;
  }

  /** Throws the rest of the body away. */
  discard(): void {
    this.#bytesIn = this.#body.contentBytes;
    this.#sink = nowhere;
  }
}
// #endregion request-side
