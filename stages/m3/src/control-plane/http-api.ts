// The control plane's HTTP API: reads the table and the fleet, and changes the table under optimistic concurrency.
// Owns paths, status codes and entity tags. The rules of a change are the store's.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { readJson as readJsonDocument } from "../json-document.ts";
import { route } from "../routing.ts";
import { type Bearer, browserFault } from "./access.ts";
import type { Fleet } from "./fleet.ts";
import { type ProblemCode, problems } from "./problems.ts";
import { type Change, etagOf, type RoutingStore, removeKey, replaceDocument, setKey } from "./store.ts";

export interface HttpApiDependencies {
  readonly store: RoutingStore;
  readonly fleet: Fleet;
  readonly bearer: Bearer;
  /** Name or address that the server is bound to; accepted in `Host`. */
  readonly host: string;
  readonly maxBodyBytes: number;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** A request that ends with an answer other than the usual one. */
class Refusal extends Error {
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

export class HttpApi {
  readonly #deps: HttpApiDependencies;

  constructor(dependencies: HttpApiDependencies) {
    this.#deps = dependencies;
  }

  readonly handle: RequestListener = (req, res) => {
    this.#answer(req, res).catch((error: unknown) => {
      if (!(error instanceof Refusal)) this.#deps.onError(error);
      if (res.headersSent) return void res.destroy();
      refuse(res, error instanceof Refusal ? error : new Refusal("control-plane-fault"));
    });
  };

  // #region paths
  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const fault = browserFault(req, this.#deps.host);
    if (fault !== undefined) throw new Refusal(fault);
    const path = req.url?.split("?")[0] ?? "";
    const key = keyIn(path);
    const method = req.method === "HEAD" ? "GET" : (req.method ?? "");
    if (path === "/healthz") return this.#only(method, { GET: () => this.#health(res) });
    if (path === "/v1/routers") return this.#only(method, { GET: () => this.#routers(res) });
    if (path === "/v1/routing") {
      return this.#only(method, {
        GET: () => this.#routing(req, res),
        PUT: () => this.#write(req, res, (body) => replaceDocument(body)),
      });
    }
    if (key !== undefined) {
      return this.#only(method, {
        GET: () => this.#key(res, key),
        PATCH: () => this.#write(req, res, (body) => keyChange(key, body)),
        DELETE: () => this.#write(req, res, () => removeKey(key)),
      });
    }
    throw new Refusal("not-found");
  }
  // #endregion paths

  async #only(method: string, handlers: Readonly<Record<string, () => void | Promise<void>>>): Promise<void> {
    const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
    const allow = Object.keys(handlers).flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : [name]));
    if (handler === undefined)
      throw new Refusal("method-not-allowed", undefined, { Allow: allow.join(", ") });
    await handler();
  }

  #health(res: ServerResponse): void {
    const { history } = this.#deps.store.current();
    const { epoch, revision } = history;
    send(res, 200, { status: "ok", epoch, revision, storeFault: this.#deps.store.lastError() });
  }

  #routers(res: ServerResponse): void {
    const { epoch, revision } = this.#deps.store.current().history;
    send(res, 200, { epoch, revision, routers: this.#deps.fleet.view(this.#deps.now()) });
  }

  #routing(req: IncomingMessage, res: ServerResponse): void {
    const { history, document } = this.#deps.store.current();
    const etag = etagOf(history);
    const known = req.headers["if-none-match"]?.split(",").map((each) => each.trim().replace(/^W\//, ""));
    if (known?.some((each) => each === etag || each === "*")) {
      res.writeHead(304, { ETag: etag, "Cache-Control": "no-cache" }).end();
      return;
    }
    send(res, 200, document, { ETag: etag });
  }

  #key(res: ServerResponse, key: string): void {
    const { history, table } = this.#deps.store.current();
    const { placement, reason } = route(table, key);
    send(
      res,
      200,
      { key, placement: placement.name, listed: reason !== "default" },
      { ETag: etagOf(history) },
    );
  }

  // #region write
  /**
   * A write says which revision it changes. Of two people who changed the same one, the second is told, instead of
   * undoing the first one's work without knowing it.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1 If-Match
   * @see https://www.rfc-editor.org/rfc/rfc6585#section-3 428
   */
  async #write(
    req: IncomingMessage,
    res: ServerResponse,
    changeOf: (body: unknown) => Change,
  ): Promise<void> {
    if (!this.#deps.bearer.admits(req))
      throw new Refusal("unauthorized", undefined, { "WWW-Authenticate": "Bearer" });
    const ifMatch = req.headers["if-match"];
    if (ifMatch === undefined) throw new Refusal("if-match-required");
    const tags = ifMatch.split(",").map((each) => each.trim());
    const change = changeOf(
      req.method === "DELETE" ? undefined : await readJson(req, this.#deps.maxBodyBytes),
    );
    const result = await this.#deps.store.write(
      change,
      (etag) => tags.includes(etag) || ifMatch.trim() === "*",
    );
    switch (result.kind) {
      case "stored": {
        const { epoch, revision, checksum } = result.stored.history;
        return send(res, 200, { epoch, revision, checksum }, { ETag: etagOf(result.stored.history) });
      }
      case "conflict":
        throw new Refusal("revision-changed", undefined, { ETag: etagOf(result.stored.history) });
      case "invalid":
        throw new Refusal("invalid-routing-table", result.faults);
      case "unknown-key":
        throw new Refusal("unknown-routing-key");
      case "too-large":
        throw new Refusal("content-too-large");
      default:
        return result satisfies never;
    }
  }
  // #endregion write
}

/** The routing key that a path names, or undefined. @throws Refusal when its percent-encoding is broken */
function keyIn(path: string): string | undefined {
  const [, encoded] = /^\/v1\/routing\/keys\/([^/]+)$/.exec(path) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new Refusal("malformed-path");
  }
}

/** `{"placement":"tier1"}` sets the key; `{"placement":null}` removes it. */
function keyChange(key: string, body: unknown): Change {
  const placement =
    typeof body === "object" && body !== null && "placement" in body ? body.placement : undefined;
  if (placement === null) return removeKey(key);
  if (typeof placement === "string") return setKey(key, placement);
  throw new Refusal("invalid-patch");
}

async function readJson(req: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without `destroyOnReturn: false`, leaving the loop would take the connection away, and the answer with it.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Node reads the rest, and keeps nothing of it.
    if (bytes > maxBytes) throw new Refusal("content-too-large");
    chunks.push(chunk);
  }
  const read = readJsonDocument(Buffer.concat(chunks));
  if (read.ok) return read.value;
  throw new Refusal("invalid-json", read.faults);
}

function send(res: ServerResponse, status: number, body: unknown, fields: Record<string, string> = {}): void {
  const text = `${JSON.stringify(body)}\n`;
  res.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    ...fields,
  });
  res.end(res.req.method === "HEAD" ? undefined : text);
}

function refuse(res: ServerResponse, { code, faults, fields }: Refusal): void {
  const [status, title, detail] = problems[code];
  const type = `urn:cell-routing:problem:${code}`;
  const body = { type, title, status, detail, code, ...(faults === undefined ? {} : { faults }) };
  send(res, status, body, { ...fields, "Content-Type": "application/problem+json" });
}
