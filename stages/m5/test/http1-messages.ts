// Drives the parser over a whole stream, in any pieces, and writes down every message it frames: the common ground of
// the tables, the properties and the fuzzer. It keeps bodies in memory, which the router never does.

import type { Message, Reading } from "../../../shared/fuzz/reading.ts";
import { ChunkedReader, type ChunkedSink } from "../src/http1/chunked-reader.ts";
import { persists } from "../src/http1/framing.ts";
import { HeadReader } from "../src/http1/head-reader.ts";
import type { Refusal } from "../src/http1/refusal.ts";
import { RequestHead } from "../src/http1/request-head.ts";
import { ResponseHead } from "../src/http1/response-head.ts";

export type OurReading = Reading & { readonly refusal: Refusal | undefined };

type Body =
  | { readonly kind: "none" | "chunked" | "until-close" }
  | { readonly kind: "length"; readonly length: number };

type NextHead = (reader: HeadReader) => { message: Message; body: Body; persists: boolean } | Refusal;

class StreamReading implements ChunkedSink {
  readonly messages: Message[] = [];
  refusal: Refusal | undefined;
  closed = false;
  readonly #nextHead: NextHead;
  readonly #headReader = new HeadReader();
  readonly #chunked = new ChunkedReader();
  #body: Body = { kind: "none" };
  #remaining = 0;
  #persists = true;

  constructor(nextHead: NextHead) {
    this.#nextHead = nextHead;
  }

  get current(): Message | undefined {
    const last = this.messages.at(-1);
    return last?.complete === false ? last : undefined;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.refusal === undefined && !this.closed) {
      const { current } = this;
      at = current === undefined ? this.#readHead(bytes, at) : this.#readBody(current, bytes, at);
    }
  }

  /** The connection ended in order. */
  end(): void {
    const { current } = this;
    if (current !== undefined && this.#body.kind === "until-close") current.complete = true;
  }

  #readHead(bytes: Buffer, at: number): number {
    const progress = this.#headReader.push(bytes, at, bytes.length);
    if (progress === "partial") return bytes.length;
    const head = progress === "complete" ? this.#nextHead(this.#headReader) : progress;
    if ("rule" in head) {
      this.refusal = head;
      return at;
    }
    this.messages.push(head.message);
    this.#body = head.body;
    this.#persists = head.persists;
    if (head.body.kind === "none") this.#finish(head.message);
    if (head.body.kind === "chunked") this.#chunked.reset("data");
    if (head.body.kind === "length") {
      this.#remaining = head.body.length;
      if (this.#remaining === 0) this.#finish(head.message);
    }
    return this.#headReader.next;
  }

  #readBody(message: Message, bytes: Buffer, at: number): number {
    if (this.#body.kind === "chunked") {
      const next = this.#chunked.read(bytes, at, bytes.length, this);
      this.refusal = this.#chunked.refusal;
      if (this.#chunked.done) this.#finish(message);
      return next;
    }
    const end = this.#body.kind === "length" ? Math.min(bytes.length, at + this.#remaining) : bytes.length;
    message.body += bytes.toString("latin1", at, end);
    this.#remaining -= end - at;
    if (this.#body.kind === "length" && this.#remaining === 0) this.#finish(message);
    return end;
  }

  #finish(message: Message): void {
    message.complete = true;
    this.closed = !this.#persists;
  }

  bodyBytes(bytes: Buffer, from: number, to: number): void {
    const { current } = this;
    if (current !== undefined) current.body += bytes.toString("latin1", from, to);
  }

  bodyText(): void {}

  trailers(section: { toRaw(): string[] }): string {
    const { current } = this;
    if (current !== undefined) current.trailers = section.toRaw();
    return "";
  }
}

function read(reading: StreamReading, pieces: readonly Buffer[], ended: boolean): OurReading {
  // Copies: a parser that keeps a reference into a buffer which it does not own must be found out.
  for (const piece of pieces) {
    const copy = Buffer.from(piece);
    reading.push(copy);
    copy.fill(0);
  }
  if (ended) reading.end();
  return reading;
}

/** Reads a client's stream. */
export function readRequests(...pieces: readonly Buffer[]): OurReading {
  const reading = new StreamReading((reader) => {
    const head = new RequestHead();
    const refusal = head.parse(reader.bytes, reader.from, reader.to);
    if (refusal !== undefined) return refusal;
    const { method, target, minorVersion, fields, body, connection } = head;
    const message = messageOf(`${method} ${target} ${minorVersion}`, fields.toRaw());
    return { message, body, persists: persists(minorVersion, connection) && method !== "CONNECT" };
  });
  return read(reading, pieces, false);
}

/** Reads a cell's stream of responses to `methods`, interim ones included; `ended`: the cell then closed in order. */
export function readResponses(
  methods: readonly string[],
  ended: boolean,
  ...pieces: readonly Buffer[]
): OurReading {
  let answered = 0;
  const reading = new StreamReading((reader) => {
    const head = new ResponseHead();
    const refusal = head.parse(reader.bytes, reader.from, reader.to, methods[answered] ?? "GET");
    if (refusal !== undefined) return refusal;
    const { status, reason, minorVersion, fields, body, connection } = head;
    if (status >= 200) answered++;
    const message = messageOf(`${status} ${reason} ${minorVersion}`, fields.toRaw());
    // After 101 the bytes are another protocol's.
    return { message, body, persists: persists(minorVersion, connection) && status !== 101 };
  });
  return read(reading, pieces, ended);
}

function messageOf(firstLine: string, fields: string[]): Message {
  return { firstLine, fields, body: "", trailers: [], complete: false };
}

/** One byte a piece: the hardest split. */
export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** Cuts `bytes` at the given places, which may come in any order and lie outside. */
export function splitAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((place, i) => bytes.subarray(places[i], place));
}
