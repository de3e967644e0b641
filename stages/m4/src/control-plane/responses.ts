// What goes back over HTTP: documents, refusals, and how much of both may be on its way at once. A client that does not
// read holds its response until its time is over; this bounds how many can do so, and what that costs.

import type { ServerResponse } from "node:http";
import { type ProblemCode, problems } from "./problems.ts";

/** A request that ends with a response other than the usual one. */
export class Refusal extends Error {
  readonly code: ProblemCode;
  readonly faults: readonly string[] | undefined;
  readonly fields: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, faults?: readonly string[], fields: Readonly<Record<string, string>> = {}) {
    super(code);
    this.code = code;
    this.faults = faults;
    this.fields = fields;
  }
}

/** Nobody reads more faults than this, or longer ones; the table that they are about may have any size. */
const maxFaults = 100;
const maxFaultLength = 500;

export interface LoadLimits {
  /** Responses to reads on their way. Those that share one body count here, too: each has a socket. */
  readonly maxReads: number;
  /** Writes from the first byte to the last of their response. */
  readonly maxWrites: number;
  /** Bytes of bodies that were made for one response each. One alone may be larger. */
  readonly maxBytes: number;
}

export const defaultLoadLimits: LoadLimits = { maxReads: 128, maxWrites: 64, maxBytes: 32 * 1024 * 1024 };

export class Load {
  readonly #limits: LoadLimits;
  #reads = 0;
  #writes = 0;
  #bytes = 0;

  constructor(limits: LoadLimits = defaultLoadLimits) {
    this.#limits = limits;
  }

  /** @throws Refusal when as many as may be are under way */
  admit(res: ServerResponse, kind: "read" | "write"): void {
    if (kind === "read" ? this.#reads >= this.#limits.maxReads : this.#writes >= this.#limits.maxWrites)
      throw tooBusy();
    if (kind === "read") this.#reads += 1;
    else this.#writes += 1;
    // Whatever ended it.
    res.once("close", () => {
      if (kind === "read") this.#reads -= 1;
      else this.#writes -= 1;
    });
  }

  /** Sends a body that no other response shares. @throws Refusal when too many bytes are on their way */
  send(res: ServerResponse, status: number, body: unknown, fields: Record<string, string> = {}): void {
    const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#limits.maxBytes) throw tooBusy();
    this.#bytes += bytes.length;
    res.once("close", () => {
      this.#bytes -= bytes.length;
    });
    sendBytes(res, status, bytes, fields);
  }
}

function tooBusy(): Refusal {
  return new Refusal("too-busy", undefined, { "Retry-After": "1", Connection: "close" });
}

/** Sends bytes as they are: a body that many responses share is in memory once. */
export function sendBytes(
  res: ServerResponse,
  status: number,
  bytes: Uint8Array,
  fields: Record<string, string> = {},
): void {
  res.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": bytes.length,
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    ...fields,
  });
  res.end(res.req.method === "HEAD" ? undefined : bytes);
}

export function refuse(res: ServerResponse, { code, faults, fields }: Refusal): void {
  const bytes = Buffer.from(problemBody(code, faults));
  sendBytes(res, problems[code][0], bytes, { ...fields, "Content-Type": "application/problem+json" });
}

export function problemBody(code: ProblemCode, faults?: readonly string[]): string {
  const [status, title, detail] = problems[code];
  const type = `urn:cell-routing:problem:${code}`;
  const told = faults === undefined ? {} : { faults: bounded(faults) };
  return `${JSON.stringify({ type, title, status, detail, code, ...told })}\n`;
}

function bounded(faults: readonly string[]): readonly string[] {
  const told = faults.slice(0, maxFaults).map((fault) => fault.slice(0, maxFaultLength));
  return faults.length > maxFaults ? [...told, `… and ${faults.length - maxFaults} more`] : told;
}
