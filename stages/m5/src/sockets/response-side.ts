// The response's half of an exchange: its head and body on the way to the client, be they a cell's or the router's own. Knows what
// the client has seen of it; whose response it is, and when it ends, is decided in `exchange.ts`.

import type { ChunkedOutput } from "../http1/chunked-reader.ts";
import { downstreamFraming, downstreamHead } from "../http1/head-writer.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { ClientSide } from "./client-side.ts";
import type { RequestSide } from "./request-side.ts";

/** A response of the router's own. */
export interface RouterResponse {
  readonly status: number;
  readonly reason: string;
  /** Field lines, each ended by CR LF; framing and connection are added. */
  readonly lines: string;
  /** ASCII. */
  readonly body: string;
}

// #region response-side
export class ResponseSide {
  /** Status that the client got; 0 before it got one. */
  status = 0;
  /** Content of the response that came from the cell, in bytes. */
  bytesOut = 0;
  /** An interim response of a cell has gone to the client. */
  interimSent = false;
  /** The connection may carry another request after this response. */
  keepsAlive = false;
  /** Only the end of the connection shows the end of the body. */
  endsByClose = false;
  readonly #client: ClientSide;
  readonly #request: RequestSide;
  #writesBeforeHead = 0;

  constructor(client: ClientSide, request: RequestSide) {
    this.#client = client;
    this.#request = request;
  }

  /** The client has seen, or will see, the head. */
  get isBegun(): boolean {
    return this.status !== 0;
  }

  /** Gathers an interim head of a cell, unless it is none of the client's business. */
  interim(head: ResponseHead): void {
    // The router has responded to the client's expectation itself, and an HTTP/1.0 client knows no interim responses.
    if (head.status === 100 || this.#request.head.minorVersion === 0) return;
    this.interimSent = true;
    this.#client.outgoing.text(downstreamHead(head, "as-came", ""));
  }

  /** Gathers the head of a cell's response. Returns how its body shall come. */
  begin(head: ResponseHead, ownLines: string): ChunkedOutput {
    const { outgoing, draining } = this.#client;
    const framing = downstreamFraming(head.body, this.#request.head.minorVersion);
    this.endsByClose = framing === "until-close";
    this.keepsAlive &&= !this.endsByClose && !draining && this.#request.isWhole;
    this.#noteHead(head.status);
    outgoing.connection = head.connection;
    outgoing.chunking = framing === "chunked" && head.body.kind === "until-close";
    outgoing.text(downstreamHead(head, framing, ownLines + this.#connectionLine()));
    return framing === "chunked" ? "wire" : "data";
  }

  /** Gathers the end of a cell's response, and sends it. */
  end(): void {
    this.#client.outgoing.endChunks();
    this.#client.flush();
  }

  /** Sends a response of the router's own. */
  send({ status, reason, lines, body }: RouterResponse): void {
    const request = this.#request;
    this.keepsAlive &&= !this.#client.draining && (request.isWhole || request.isWorthDiscarding);
    this.#noteHead(status);
    // A 204 has no length, not even that of nothing (RFC 9110 §8.6).
    const length = status === 204 ? "" : `Content-Length: ${body.length}\r\n`;
    const framing = `${length}${this.#connectionLine()}\r\n`;
    const content = request.head.method === "HEAD" ? "" : body;
    this.#client.outgoing.text(`HTTP/1.1 ${status} ${reason}\r\n${lines}${framing}${content}`);
    this.#client.flush();
  }

  /** Forgets what has not left yet, such as a head that a fault came along with. Returns false when the head is out. */
  takeBack(): boolean {
    const { outgoing } = this.#client;
    if (outgoing.writes === this.#writesBeforeHead) this.status = 0;
    outgoing.clear();
    return !this.isBegun;
  }

  /** The client left before any of it was written. */
  lose(): void {
    this.status = 0;
  }

  #noteHead(status: number): void {
    this.status = status;
    this.#writesBeforeHead = this.#client.outgoing.writes;
  }

  #connectionLine(): string {
    if (!this.keepsAlive) return "Connection: close\r\n";
    return this.#request.head.minorVersion === 0 ? "Connection: keep-alive\r\n" : "";
  }
}
// #endregion response-side
