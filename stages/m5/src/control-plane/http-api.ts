// The control plane's HTTP API: reads the table and the fleet, and changes the table under optimistic concurrency.
// Owns paths, status codes and entity tags. The rules of a change are the store's.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { readJson as readJsonDocument } from "../json-document.ts";
import { route } from "../routing.ts";
import { type Bearer, browserFault, linkFault } from "./access.ts";
import type { Store } from "./any-store.ts";
import type { Fleet } from "./fleet.ts";
import { Load, type LoadLimits, Refusal, refuse, sendBytes } from "./responses.ts";
import { type Change, etagOf, removeKey, replaceDocument, setKey } from "./stored.ts";

export interface HttpApiDependencies {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly bearer: Bearer;
  /** Name or address that the server is bound to; accepted in `Host`. */
  readonly host: string;
  readonly maxBodyBytes: number;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  /** @default defaultLoadLimits */
  readonly load?: LoadLimits;
}

/** Larger than any placement's name. */
const maxKeyChangeBytes = 4 * 1024;

export class HttpApi {
  readonly #deps: HttpApiDependencies;
  readonly #load: Load;

  constructor(dependencies: HttpApiDependencies) {
    this.#deps = dependencies;
    this.#load = new Load(dependencies.load);
  }

  readonly handle: RequestListener = (req, res) => {
    this.#respond(req, res).catch((error: unknown) => {
      // A client that leaves in the middle of its body is no fault.
      if (!(error instanceof Refusal || error === req.errored)) this.#deps.onError(error);
      // A client that wanted another protocol and does not get it is unlikely to send more.
      if (req.headers.upgrade !== undefined) res.shouldKeepAlive = false;
      if (res.headersSent) return void res.destroy();
      refuse(res, error instanceof Refusal ? error : new Refusal("control-plane-fault"));
    });
  };

  // #region paths
  async #respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const fault = browserFault(req, this.#deps.host);
    if (fault !== undefined) throw new Refusal(fault);
    const path = req.url?.split("?")[0] ?? "";
    const key = keyIn(path);
    const method = req.method === "HEAD" ? "GET" : (req.method ?? "");
    if (path === "/healthz") return this.#only(method, { GET: () => this.#health(res) });
    if (path === "/v1/connect") return this.#only(method, { GET: () => this.#connect(req) });
    // From here on a response may be large, or take its time.
    this.#load.admit(res, method === "GET" ? "read" : "write");
    if (path === "/v1/routers") return this.#only(method, { GET: () => this.#routers(res) });
    if (path === "/v1/routing") {
      return this.#only(method, {
        GET: () => this.#routing(req, res),
        PUT: () =>
          this.#write(req, res, this.#deps.maxBodyBytes, (body, bytes) => replaceDocument(bytes, body)),
      });
    }
    if (key !== undefined) {
      return this.#only(method, {
        GET: () => this.#key(res, key),
        PATCH: () => this.#write(req, res, maxKeyChangeBytes, (body) => keyChange(key, body)),
        DELETE: () => this.#write(req, res, 0, () => removeKey(key)),
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
    this.#load.send(res, 200, { status: "ok", epoch, revision, storeFault: this.#deps.store.lastError() });
  }

  /** What becomes of a link that is refused, and of a request that asks for none. */
  #connect(req: IncomingMessage): never {
    const fault = linkFault(req, this.#deps);
    if (fault === undefined)
      throw new Refusal("upgrade-required", undefined, {
        Connection: "close, Upgrade",
        Upgrade: "websocket",
      });
    throw new Refusal(fault, undefined, fault === "unauthorized" ? { "WWW-Authenticate": "Bearer" } : {});
  }

  #routers(res: ServerResponse): void {
    const { epoch, revision } = this.#deps.store.current().history;
    this.#load.send(res, 200, { epoch, revision, routers: this.#deps.fleet.view(this.#deps.now()) });
  }

  #routing(req: IncomingMessage, res: ServerResponse): void {
    const { history, json } = this.#deps.store.current();
    const etag = etagOf(history);
    const known = req.headers["if-none-match"]?.split(",").map((each) => each.trim().replace(/^W\//, ""));
    if (known?.some((each) => each === etag || each === "*")) {
      res.writeHead(304, { ETag: etag, "Cache-Control": "no-cache" }).end();
      return;
    }
    sendBytes(res, 200, json, { ETag: etag });
  }

  #key(res: ServerResponse, key: string): void {
    const { history, table } = this.#deps.store.current();
    const { placement, reason } = route(table, key);
    const view = { key, placement: placement.name, listed: reason !== "default" };
    this.#load.send(res, 200, view, { ETag: etagOf(history) });
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
    maxBytes: number,
    changeOf: (body: unknown, bytes: Buffer) => Change,
  ): Promise<void> {
    if (!this.#deps.bearer.admits(req))
      throw new Refusal("unauthorized", undefined, { "WWW-Authenticate": "Bearer" });
    const ifMatch = req.headers["if-match"];
    if (ifMatch === undefined) throw new Refusal("if-match-required");
    const tags = ifMatch.split(",").map((each) => each.trim());
    const bytes = req.method === "DELETE" ? Buffer.from("null") : await readBody(req, maxBytes);
    const change = changeOf(parsed(bytes), bytes);
    const result = await this.#deps.store.write(
      change,
      (etag) => tags.includes(etag) || ifMatch.trim() === "*",
    );
    switch (result.kind) {
      case "stored": {
        const { epoch, revision, checksum } = result.stored.history;
        const fields = { ETag: etagOf(result.stored.history) };
        return this.#load.send(res, 200, { epoch, revision, checksum }, fields);
      }
      case "conflict":
        throw new Refusal("revision-changed", undefined, { ETag: etagOf(result.stored.history) });
      case "invalid":
        throw new Refusal("invalid-routing-table", result.faults);
      case "edited":
        throw new Refusal("routing-file-invalid", result.faults);
      case "unknown-key":
        throw new Refusal("unknown-routing-key");
      case "too-large":
        throw new Refusal("content-too-large");
      case "busy":
        throw new Refusal("too-busy", undefined, { "Retry-After": "1" });
      case "unwritable":
        throw new Refusal("store-unwritable", [result.cause]);
      case "unknown":
        throw new Refusal("outcome-unknown", [result.cause]);
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

async function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without `destroyOnReturn: false`, leaving the loop would take the connection away, and the response with it.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Node reads the rest, and keeps nothing of it.
    if (bytes > maxBytes) throw new Refusal("content-too-large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws Refusal when it is not JSON; whether it says what it should is not looked at */
function parsed(bytes: Buffer): unknown {
  const read = readJsonDocument(bytes);
  if (read.ok) return read.value;
  throw new Refusal("invalid-json", read.faults);
}
