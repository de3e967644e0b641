// Reads a stream with Node's own HTTP parser, as its server and its client do. The parser is no public API: only the
// fuzzer may use it, and it stands behind this one file.

import { createRequire } from "node:module";
import type { Message, Reading } from "./reading.ts";

type Callback = (...args: never[]) => unknown;

interface NodeParser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | (Error & { code?: string; reason?: string; bytesParsed?: number });
  finish(): Error | undefined;
  close(): void;
  [callback: number]: Callback;
}

interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const { HTTPParser } = createRequire(import.meta.url)("_http_common") as { HTTPParser: NodeParserClass };
const { METHODS } = createRequire(import.meta.url)("node:http") as { METHODS: readonly string[] };

/** Large enough that Node's own limit, which counts otherwise than ours, decides no case. */
const maxHeaderSize = 1 << 20;

class NodeReading {
  readonly messages: Message[] = [];
  refusal: { rule: string } | undefined;
  closed = false;
  readonly #parser = new HTTPParser();
  readonly #methods: readonly string[] | undefined;
  #answered = 0;
  #fields: string[] = [];
  #target = "";

  /** @param methods Of the requests that the responses belong to; undefined where requests are read. */
  constructor(methods: readonly string[] | undefined) {
    this.#methods = methods;
    const parser = this.#parser;
    this.#initialize();
    parser[HTTPParser.kOnHeaders] = (fields: string[], target: string) => {
      this.#fields.push(...fields);
      this.#target += target;
    };
    parser[HTTPParser.kOnHeadersComplete] = this.#headComplete;
    parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
      const last = this.messages.at(-1);
      if (last !== undefined) last.body += bytes.toString("latin1");
    };
    parser[HTTPParser.kOnMessageComplete] = () => {
      const last = this.messages.at(-1);
      if (last === undefined) return;
      last.complete = true;
      last.trailers = this.#fields;
      this.#fields = [];
      this.#target = "";
    };
  }

  readonly #headComplete = (
    _major: number,
    minor: number,
    fields: string[] | undefined,
    method: number,
    target: string | undefined,
    status: number,
    reason: string,
    _upgrade: boolean,
    keepsAlive: boolean,
  ): number => {
    const all = [...this.#fields, ...(fields ?? [])];
    const isRequest = this.#methods === undefined;
    const firstLine = isRequest
      ? `${methodNames().get(method)} ${this.#target}${target ?? ""} ${minor}`
      : `${status} ${reason} ${minor}`;
    this.#fields = [];
    this.#target = "";
    this.messages.push({ firstLine, fields: all, body: "", trailers: [], complete: false });
    this.closed = !keepsAlive || (isRequest && firstLine.startsWith("CONNECT ")) || status === 101;
    if (isRequest) return 0;
    // What the client's parser wants to hear: 1 means that no body follows.
    if (status < 200) return 1;
    const answered = this.#methods?.[this.#answered++];
    return answered === "HEAD" ? 1 : 0;
  };

  #initialize(): void {
    const type = this.#methods === undefined ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
    this.#parser.initialize(type, {}, maxHeaderSize, 0);
  }

  push(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0 && this.refusal === undefined) {
      const result = this.#parser.execute(rest);
      if (typeof result !== "number") {
        this.refusal = { rule: `${result.code}: ${result.reason}` };
        return;
      }
      if (result >= rest.length || this.closed) return;
      // The parser stops behind a message that offers an upgrade. Nobody takes the offer, so reading goes on.
      this.#initialize();
      rest = rest.subarray(result);
    }
  }

  end(): void {
    if (this.refusal === undefined) this.#parser.finish();
  }

  close(): void {
    this.#parser.close();
  }
}

let names: Map<number, string> | undefined;

/** The parser numbers methods in an order of its own; asking it is more certain than knowing it. */
function methodNames(): ReadonlyMap<number, string> {
  if (names !== undefined) return names;
  const found = new Map<number, string>();
  for (const method of METHODS) {
    const parser = new HTTPParser();
    parser.initialize(HTTPParser.REQUEST, {}, maxHeaderSize, 0);
    parser[HTTPParser.kOnHeadersComplete] = (
      _major: number,
      _minor: number,
      _fields: unknown,
      number: number,
    ) => {
      found.set(number, method);
      return 0;
    };
    const target = method === "CONNECT" ? "a:1" : "/";
    parser.execute(Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, "latin1"));
    parser.close();
  }
  names = found;
  return names;
}

function read(reading: NodeReading, pieces: readonly Buffer[], ended: boolean): Reading {
  for (const piece of pieces) reading.push(Buffer.from(piece));
  if (ended) reading.end();
  reading.close();
  return reading;
}

/** Reads a client's stream as Node's server does. */
export function readRequestsWithNode(...pieces: readonly Buffer[]): Reading {
  methodNames();
  return read(new NodeReading(undefined), pieces, false);
}

/** Reads a cell's stream as Node's client does. */
export function readResponsesWithNode(
  methods: readonly string[],
  ended: boolean,
  ...pieces: readonly Buffer[]
): Reading {
  return read(new NodeReading(methods), pieces, ended);
}
