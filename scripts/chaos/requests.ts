// Writes what one hostile client sends: requests with tags, bodies that look like requests, and what each of them may
// do at a cell. Which kinds of clients there are is in `client-kinds.ts`.

import type { Random } from "../../shared/fuzz/random.ts";
import type { Piece } from "./delivery.ts";
import { type TagKind, tagOf } from "./tags.ts";

/** How much of a request a cell may see. `none`: not even its head. `part`: its head, and never a whole body. */
export type Reach = "none" | "part" | "whole";

export interface PlannedRequest {
  readonly tag: string;
  readonly method: string;
  /** The routing key; undefined where it has none, or one that the router must refuse. */
  readonly key: string | undefined;
  readonly reach: Reach;
  /** What a whole body is; undefined where the bytes were damaged and it could be several things. */
  readonly body: Piece | undefined;
}

export interface RequestParts {
  readonly method?: string;
  /** Follows the tag in the target. @default what the cell should do, at random */
  readonly rest?: string;
  /** Takes the tag's path; for targets of another form. */
  readonly target?: (path: string) => string;
  readonly version?: string;
  /** The routing key; null sends none. */
  readonly key?: string | null;
  readonly fields?: readonly string[];
  readonly body?: Piece | undefined;
  readonly framing?: "length" | "chunked";
  readonly reach?: Reach;
  readonly isDamaged?: boolean;
}

/** The routing keys of the contract's table, and one that is not in it. Cells of the later three are hostile. */
const keys = ["visa", "acme", "globex", "globex", "initech", "somebody"] as const;
const methods = ["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
const oddMethods = [
  "PURGE",
  "PROPFIND",
  "REPORT",
  "LINK",
  "SEARCH",
  "TRACE",
  "FROBNICATE",
  "get",
  "M-1!",
] as const;

export class RequestWriter {
  readonly random: Random;
  readonly pieces: Piece[] = [];
  readonly requests: PlannedRequest[] = [];
  readonly #seed: number;
  readonly #connection: number;
  #count = 0;

  constructor(random: Random, seed: number, connection: number) {
    this.random = random;
    this.#seed = seed;
    this.#connection = connection;
  }

  raw(text: string, times = 1): void {
    this.pieces.push({ text, times });
  }

  tag(kind: TagKind): string {
    return tagOf(this.#seed, { connection: this.#connection, request: this.#count++ }, kind);
  }

  /** Text that a parser which has lost its place would take for a request, to any tenant. */
  decoy(): string {
    const key = this.random.pick(keys);
    return `GET /${this.tag("decoy")} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: ${key}\r\n\r\n`;
  }

  /** One request of any method and framing, and with any body. */
  any(parts: RequestParts = {}): void {
    const { random } = this;
    const method = parts.method ?? (random.chance(12) ? random.pick(oddMethods) : random.pick(methods));
    const wantsBody = ["POST", "PUT", "PATCH"].includes(method) ? random.chance(85) : random.chance(8);
    this.write({
      method,
      ...(random.chance(4) ? { key: random.pick([null, null, "", "k".repeat(300)]) } : {}),
      ...(random.chance(4) ? { version: "1.0" } : {}),
      ...(wantsBody ? { body: this.body(), framing: random.chance(40) ? "chunked" : "length" } : {}),
      ...parts,
    });
  }

  /** A body; half of them hold a decoy. */
  body(): Piece {
    const { random } = this;
    if (random.chance(5)) return { text: ".".repeat(8192), times: 1 + random.below(400) };
    const filler = "b".repeat(random.chance(20) ? random.below(20_000) : random.below(60));
    const kind = random.below(4);
    // At the start, for a reader that takes the body for the next request; behind some bytes, for one that takes a part of it.
    const text = kind === 0 ? this.decoy() : kind === 1 ? `${filler}\r\n\r\n${this.decoy()}` : `${filler}.`;
    return { text, times: 1 };
  }

  /** What the cell is asked to do: how many bytes it should send, and how long it should wait. */
  wish(): string {
    const { random } = this;
    const bytes = random.pick([0, 2, 60, 900, 900, 5000, 70_000, random.below(300_000)]);
    const waitMs = random.chance(35) ? random.below(80) : 0;
    return `/b${bytes}${waitMs === 0 ? "" : `/w${waitMs}`}`;
  }

  write(parts: RequestParts): PlannedRequest {
    const { random } = this;
    const tag = this.tag("request");
    const { method = "GET", version = "1.1", fields = [], body, framing = "length" } = parts;
    const path = `/${tag}${parts.rest ?? this.wish()}`;
    const target = parts.target === undefined ? path : parts.target(path);
    const key = parts.key === undefined ? random.pick(keys) : parts.key;
    const isChunked = body !== undefined && framing === "chunked" && version !== "1.0";
    const lines = [
      `${method} ${target} HTTP/${version}`,
      "Host: cells.test",
      ...(key === null ? [] : [`X-Routing-Key: ${key}`]),
      ...(target.includes(tag) ? [] : [`X-Chaos: ${tag}`]),
      ...fields,
      ...(body === undefined
        ? []
        : [isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${sizeOf(body)}`]),
    ];
    this.raw(`${lines.join("\r\n")}\r\n\r\n`);
    if (body !== undefined)
      for (const piece of isChunked ? this.#chunks(body) : [body]) this.pieces.push(piece);
    const isServed =
      key !== null && key !== "" && key.length <= 256 && !["TRACE", "CONNECT"].includes(method);
    const request: PlannedRequest = {
      tag,
      method,
      key: isServed ? key : undefined,
      reach: parts.reach ?? (isServed ? "whole" : "none"),
      body: parts.isDamaged === true ? undefined : (body ?? { text: "", times: 1 }),
    };
    this.requests.push(request);
    return request;
  }

  #chunks(body: Piece): Piece[] {
    const { random } = this;
    const { text, times } = body;
    const last = random.chance(15) ? "0\r\nX-Trailer: t\r\n\r\n" : "0\r\n\r\n";
    if (times > 1 || text.length < 2 || random.chance(60))
      return [
        { text: chunk(text), times },
        { text: last, times: 1 },
      ];
    const at = 1 + random.below(text.length - 1);
    return [{ text: chunk(text.slice(0, at)) + chunk(text.slice(at)) + last, times: 1 }];
  }
}

export function sizeOf({ text, times }: Piece): number {
  return text.length * times;
}

export function chunk(text: string): string {
  return text === "" ? "" : `${text.length.toString(16)}\r\n${text}\r\n`;
}
