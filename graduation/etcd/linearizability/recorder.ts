// Talks to control planes and writes down what came of it: the history that `linearize.ts` judges.

import { ask, type ReceivedResponse } from "../../../scripts/http-request.ts";
import { objectIn } from "../../../shared/testkit/json-text.ts";
import {
  type History,
  type Operation,
  type Outcome,
  tableValue,
  type Version,
  type Write,
} from "./history.ts";

export interface ControlPlaneAddress {
  readonly name: string;
  readonly url: string;
}

/** The part of a routing document that a recorder needs to know. */
export interface Document {
  readonly routingTable: Readonly<Record<string, string>>;
}

export interface RecorderOptions {
  readonly token: string;
  /** What a PUT sends, with its own marker added to the routing table. */
  readonly document: Document;
  /** In every marker: no other recorder of the same table may have it, or a write might find its marker there already. */
  readonly name: string;
  /** Where a marker routes to. */
  readonly placement: string;
}

export interface SeenTable {
  readonly version: Version;
  readonly value: string;
}

/** A client gives up after this time, and does not know what becomes of its write. */
const timeoutMs = 15_000;

/** Markers can be told from the keys of the document by this. */
const markerStart = "write-";

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #operations: Operation[] = [];
  #markers = 0;
  #underWay = 0;
  #initial: SeenTable | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Writes that have been sent, and not been responded to. */
  get writesUnderWay(): number {
    return this.#underWay;
  }

  /** Everything since `begin`. */
  history(): History {
    if (this.#initial === undefined) throw new Error("Cannot tell a history: nothing has begun");
    return { initial: this.#initial, operations: [...this.#operations] };
  }

  /** Forgets what was, and takes the table that `from` shows for the first one. Nobody may be writing. */
  async begin(from: ControlPlaneAddress): Promise<void> {
    const { version, value } = await this.#fetch(from);
    this.#initial = { version, value };
    this.#operations.length = 0;
  }

  /** @throws Error when no table comes; a read that failed says nothing about the table, and is not recorded */
  async get(client: string, via: ControlPlaneAddress): Promise<SeenTable> {
    const startMs = performance.now();
    const seen = await this.#fetch(via);
    const times = { startMs, endMs: performance.now() };
    this.#operations.push({ kind: "get", client, via: via.name, ...times, ...seen });
    return seen;
  }

  /** Never rejects for what a control plane does. @throws Error when it responds with what no write may be told */
  async write(
    client: string,
    via: ControlPlaneAddress,
    kind: Write["kind"],
    ifMatch: Version,
  ): Promise<Write> {
    const marker = `${markerStart}${this.#options.name}-${++this.#markers}`;
    const startMs = performance.now();
    this.#underWay += 1;
    const { outcome, why } = await this.#send(via, kind, marker, ifMatch).finally(() => {
      this.#underWay -= 1;
    });
    const times = { startMs, endMs: performance.now() };
    const write: Write = { kind, client, via: via.name, marker, ifMatch, outcome, why, ...times };
    this.#operations.push(write);
    return write;
  }

  async #fetch(via: ControlPlaneAddress): Promise<SeenTable> {
    const response = await ask({ url: `${via.url}/v1/routing`, timeoutMs });
    const document = objectIn(response.body) as Document | undefined;
    const version = response.headers.etag;
    if (response.status !== 200 || document === undefined || version === undefined)
      throw new Error(
        `Cannot read the table of ${via.name}: ${response.status} ${response.body.slice(0, 200)}`,
      );
    const keys = Object.keys(document.routingTable);
    return { version, value: tableValue(keys.filter((key) => key.startsWith(markerStart))) };
  }

  async #send(
    via: ControlPlaneAddress,
    kind: Write["kind"],
    marker: string,
    ifMatch: Version,
  ): Promise<{ readonly outcome: Outcome; readonly why: string }> {
    const { token, document, placement } = this.#options;
    const routingTable = { ...document.routingTable, [marker]: placement };
    const [method, path, body] =
      kind === "put"
        ? ["PUT", "/v1/routing", { ...document, routingTable }]
        : ["PATCH", `/v1/routing/keys/${marker}`, { placement }];
    const headers = {
      Authorization: `Bearer ${token}`,
      "If-Match": ifMatch,
      "Content-Type": "application/json",
    };
    try {
      const url = `${via.url}${path}`;
      return outcomeOf(await ask({ url, method, headers, body: JSON.stringify(body), timeoutMs }));
    } catch (error) {
      if (error instanceof UnexpectedResponse) throw error;
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      // Nobody listens there: nothing was sent.
      return { outcome: { kind: code === "ECONNREFUSED" ? "refused" : "unknown" }, why: code };
    }
  }
}

/** A response that no write may be told, whatever fails. */
export class UnexpectedResponse extends Error {
  override readonly name = "UnexpectedResponse";
}

/** Responses that promise that nothing has changed. */
const refusals = new Set(["store-unwritable", "too-busy", "too-many-connections"]);

function outcomeOf({ status, headers, body }: ReceivedResponse): {
  readonly outcome: Outcome;
  readonly why: string;
} {
  const problem = objectIn(body);
  const code = String(problem?.["code"]);
  const why = [code, ...listIn(problem?.["faults"])].join(": ");
  if (status === 200 && headers.etag !== undefined)
    return { outcome: { kind: "stored", version: headers.etag }, why: "" };
  if (status === 412) return { outcome: { kind: "conflict" }, why };
  if (status === 503 && refusals.has(code)) return { outcome: { kind: "refused" }, why };
  if (status === 503 && code === "outcome-unknown") return { outcome: { kind: "unknown" }, why };
  throw new UnexpectedResponse(`A write was told ${status}: ${body.slice(0, 400)}`);
}

function listIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
