// Reads one response after another from what a connection to a cell brings, and hands on what it finds: interim heads, the head,
// the body. Knows where a response ends, and whether the connection can carry another; keeps no bytes of a body.

import { BodyReader } from "../http1/body-reader.ts";
import type { ChunkedOutput, ChunkedSink } from "../http1/chunked-reader.ts";
import { persists } from "../http1/framing.ts";
import { HeadReader } from "../http1/head-reader.ts";
import { ResponseHead } from "../http1/response-head.ts";

/** Who gets a response. */
export interface ResponseTaker {
  onInterim(head: ResponseHead): void;
  /** The head of the response. Returns how its body shall come, or undefined to discard it and the connection with it. */
  onHead(head: ResponseHead): ChunkedOutput | undefined;
  /** Where the body goes. */
  readonly sink: ChunkedSink;
}

export type ResponseProgress = "partial" | "whole" | "discarded" | "broken";

/** The most that a cell may send in front of its response, in bytes: interim heads have no other bound. */
const maxInterimBytes = 65_536;

const noBody = { kind: "none" } as const;

/** One for all connections: heads are used at once. A table for each connection would be cold whenever its turn comes. */
const head = new ResponseHead();

// #region response-reader
export class ResponseReader {
  /** Part of the present response has come. */
  started = false;
  /** The head of the present response has come, and its body follows. */
  inBody = false;
  /** Why the present response is broken. */
  cause = "";
  readonly #headReader = new HeadReader();
  readonly #body = new BodyReader();
  #method = "GET";
  #interimBytes = 0;
  /** Index after the last byte taken. */
  #next = 0;
  #reusable = false;

  /** Content of the present response so far, in bytes. */
  get contentBytes(): number {
    return this.#body.contentBytes;
  }

  /** Whether the connection can carry another response after this one, which is whole. */
  get reusable(): boolean {
    return this.#reusable;
  }

  /** A response to `method` is next. */
  begin(method: string): void {
    this.#method = method;
    this.started = false;
    this.inBody = false;
    this.#interimBytes = 0;
    // Until this response has a body, the bytes of the last one would be told as its own.
    this.#body.begin(noBody, "wire");
  }

  /** Takes the first `size` bytes, of which there is at least one, up to the end of the response. */
  read(bytes: Buffer, size: number, taker: ResponseTaker): ResponseProgress {
    this.started = true;
    this.#next = 0;
    let progress: ResponseProgress = "partial";
    while (progress === "partial" && this.#next < size) {
      const from = this.#next;
      progress = this.inBody
        ? this.#readBody(bytes, from, size, taker.sink)
        : this.#readHead(bytes, from, size, taker);
    }
    // What follows a whole response is nothing that anybody asked for: the next request must not get it as its own.
    if (progress === "whole") this.#reusable &&= this.#next === size;
    return progress;
  }

  /** The cell has ended its side. Returns whether the response is whole with that. */
  end(): boolean {
    this.#reusable = false;
    return this.inBody && this.#body.end();
  }

  #readHead(bytes: Buffer, from: number, to: number, taker: ResponseTaker): ResponseProgress {
    const reader = this.#headReader;
    const found = reader.push(bytes, from, to);
    this.#next = to;
    if (found === "partial") return found;
    const fault =
      found === "complete" ? head.parse(reader.bytes, reader.from, reader.to, this.#method) : found;
    if (fault !== undefined) return this.#broken(fault.rule);
    this.#next = reader.next;
    if (head.status < 200) return this.#interim(reader.to - reader.from, taker);
    const output = taker.onHead(head);
    if (output === undefined) return "discarded";
    this.#body.begin(head.body, output);
    this.#reusable = head.body.kind !== "until-close" && persists(head.minorVersion, head.connection);
    this.inBody = true;
    return this.#body.done ? "whole" : "partial";
  }

  #interim(size: number, taker: ResponseTaker): ResponseProgress {
    // Nobody offered another protocol.
    if (head.status === 101) return this.#broken("unasked 101");
    this.#interimBytes += size;
    if (this.#interimBytes > maxInterimBytes) return this.#broken("interim responses too large");
    taker.onInterim(head);
    return "partial";
  }

  #readBody(bytes: Buffer, from: number, to: number, sink: ChunkedSink): ResponseProgress {
    const body = this.#body;
    this.#next = body.read(bytes, from, to, sink);
    if (body.done) return "whole";
    return body.refusal === undefined ? "partial" : this.#broken(body.refusal.rule);
  }

  #broken(cause: string): "broken" {
    this.cause = cause;
    return "broken";
  }
}
// #endregion response-reader
